"""While a node is held drift is told and left alone, never for longer than was given."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_agent.answers import StatusLine
from saltern_agent.hold_record import Held
from saltern_agent.holding import SAME, Holding, words
from saltern_agent.journal import Journal
from saltern_agent.link import words as link
from saltern_agent.show import show_status
from saltern_agent.status import status_of
from saltern_protocol import messages, testing
from saltern_protocol.lease import Hold, sign_lease
from saltern_protocol.report import DriftSeen, Nature
from saltern_protocol.terms import MOST_HELD
from saltern_states.body import DriftPolicy
from saltern_states.ports import HostError
from saltern_states.unit import Unit

from tests.agent.talk import NEW, Talk, hash_of, lease, standing
from tests.agent.test_keeper import CBR0, DAEMON, edit, hold
from tests.agent.test_outbox import Joined
from tests.agent.watching import Watching, told

HOUR = Hold(left=3600, why="a new switch", by="ann")
TOLD = "held until 09:00 UTC by ann: a new switch"
UNIT = "docker.service"
SECONDS = st.floats(0, MOST_HELD)


@pytest.fixture
def node(tmp_path: Path) -> Joined:
    return Joined(tmp_path, now=1_800_000_000.0)  # 2027-01-15T08:00:00Z


def content(node: Joined) -> bytes | None:
    return node.host.files.read(Path(DAEMON.path))


def test_drift_is_told_as_intended_and_left_alone_until_the_hold_ends(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    told(node)
    assert node.keeper.hold_off(HOUR, node.now)
    watching = Watching(node)

    watching.run(600, lambda: edit(node), 60.0, DAEMON.path)

    (seen,) = (one for one in told(node) if isinstance(one, DriftSeen))
    assert (seen.nature, seen.hindrance, seen.attempts) == (Nature.INTENDED, TOLD, 0)
    assert content(node) == b"{bad"
    assert node.keeper.retries() == {"file": pytest.approx(3000, abs=1)}
    assert node.keeper.made == 0

    watching.rest(3001)
    assert content(node) == b"{}\n"
    (drift,) = node.keeper.journal.drift()
    assert (drift.outcome, drift.nature) == ("healed", Nature.INTENDED)
    assert drift.healed == pytest.approx(1_800_003_600, abs=1)


def test_drift_from_before_the_hold_stays_another_s_and_is_told_to_be_held(node: Joined) -> None:
    node.host.units.install(UNIT)
    node.take(hold("unit", Unit(unit=UNIT)))
    node.host.units.stop(UNIT)
    node.host.units.fail[UNIT] = "failed"
    node.look("unit")
    node.keeper.hold_off(HOUR, node.now)

    node.look()
    drift = node.keeper.journal.open_drift()["unit"]
    assert (drift.nature, drift.hindrance) == (Nature.EXTERNAL, TOLD)

    node.host.units.fail.clear()
    node.now += 60
    assert node.keeper.hold_off(None, node.now)
    assert "healed: unit after 62 s" in node.look()


def test_a_hold_that_is_let_go_of_has_all_looked_at_though_one_was_asked_for(node: Joined) -> None:
    node.take(hold("file", DAEMON), hold("bridge", CBR0))
    node.keeper.hold_off(HOUR, node.now)
    edit(node)
    node.host.links.delete("cbr0")
    assert node.look() != []
    node.keeper.hold_off(None, node.now)

    node.look("file")

    assert content(node) == b"{}\n"
    assert node.host.links.link("cbr0") is not None


def test_a_document_is_applied_all_the_same_and_what_it_lacks_is_not_intended(node: Joined) -> None:
    node.host.units.install(UNIT)
    node.host.units.fail[UNIT] = "failed"
    node.keeper.hold_off(HOUR, node.now)

    node.take(hold("file", DAEMON), hold("unit", Unit(unit=UNIT)))
    node.look()

    assert content(node) == b"{}\n"
    assert node.keeper.journal.open_drift()["unit"].nature is Nature.EXTERNAL


def test_what_a_reboot_took_comes_back_while_held(node: Joined) -> None:
    node.take(hold("bridge", CBR0))
    node.keeper.hold_off(HOUR, node.now)
    node.host.links.delete("cbr0")
    node.mark.booted = True
    node.start()

    assert node.keeper.restore_after_boot() > 0
    assert node.look() == ["boot: bridge: changed"]
    assert node.keeper.journal.drift() == ()


def test_a_fight_stops_counting_while_held_and_its_incident_stays(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=DriftPolicy(times=2, minutes=1)))
    watching = Watching(node)
    watching.run(10, lambda: edit(node), 1.0, DAEMON.path)
    attempts = node.keeper.ledger.attempts("file")
    node.keeper.hold_off(HOUR, node.now)
    watching.run(300, lambda: edit(node), 1.0, DAEMON.path)

    drift = node.keeper.journal.open_drift()["file"]
    assert drift.incident
    assert drift.hindrance.startswith("held until")
    assert node.keeper.ledger.attempts("file") == attempts


def test_what_could_not_be_taken_back_is_left_until_the_hold_ends(node: Joined) -> None:
    node.take(hold("bridge", CBR0), hold("file", DAEMON))
    delete = node.host.links.delete

    def refuse(name: str) -> None:
        raise HostError(f"cannot delete the link {name}: Device or resource busy")

    node.host.links.delete = refuse  # type: ignore[method-assign]
    node.take(hold("file", DAEMON))
    node.host.links.delete = delete  # type: ignore[method-assign]
    node.keeper.hold_off(HOUR, node.now)
    assert node.look() == []

    node.now += 3600
    assert node.look("file") == ["document: remove bridge: changed"]


@pytest.mark.parametrize(
    ("after", "left"),
    [(60.0, 3540.0), (3599.0, 1.0), (3600.0, 0.0), (-1.0, 0.0), (-86_400.0, 0.0)],
)
def test_a_restarted_agent_keeps_what_is_left(node: Joined, after: float, left: float) -> None:
    node.take(hold("file", DAEMON))
    node.keeper.hold_off(HOUR, node.now)
    node.now += after
    node.mark.booted = True  # no monotonic clock tells
    node.start()

    assert node.keeper.holding.left() == left
    assert (node.keeper.journal.hold.read() is None) == (left == 0)


def test_in_one_boot_a_wall_clock_that_was_set_makes_no_hold_longer(node: Joined) -> None:
    held = Held(began=1000.0, until=4600.0, monotonic=3650.0, why="w", by="ann")

    assert held.left(1010.0, 3640.0, rebooted=False) == 10.0  # set back by nearly an hour
    assert held.left(4590.0, 60.0, rebooted=False) == 10.0  # set on: it may only become shorter
    assert held.left(4600.0, 60.0, rebooted=False) == 0.0
    assert node.keeper.holding.current() is None


@given(st.floats(0, 1e6), SECONDS, st.floats(-1e7, 1e7), st.floats(0, 1e7), st.booleans())
def test_what_is_kept_is_never_longer_than_it_was_given(
    began: float, given_for: float, shift: float, uptime: float, rebooted: bool
) -> None:
    held = Held(began, began + given_for, 100.0 + given_for, "w", "ann")
    now = began + shift

    left = held.left(now, uptime, rebooted)
    assert 0 <= left <= given_for + 1e-6
    if not began <= now < held.until:
        assert left == 0.0


@given(st.lists(st.floats(-SAME + 0.01, SAME - 0.01), max_size=20))
def test_leases_that_tell_the_same_hold_are_no_news(late: list[float]) -> None:
    clock = [0.0]
    holding = Holding(lambda: 1000.0 + clock[0], lambda: clock[0])
    assert holding.give(Hold(left=36_000, why="w", by="ann"), 0.0)
    until = holding.held.until if holding.held else 0.0
    for each in late:
        clock[0] += 300
        left = 36_000 - round(clock[0])
        assert not holding.give(Hold(left=left, why="w", by="ann"), clock[0] + each * 0.8)
    assert holding.held is not None
    assert holding.held.until == until
    assert holding.left() == 36_000 - clock[0]


@pytest.mark.parametrize(
    "other",
    [
        replace(HOUR, left=1800),
        replace(HOUR, left=7200),
        replace(HOUR, why="another"),
        replace(HOUR, by="bob"),
    ],
)
def test_another_hold_takes_the_place_of_the_one_before(other: Hold) -> None:
    holding = Holding(lambda: 0.0, lambda: 0.0)
    holding.give(HOUR, 0.0)

    assert holding.give(other, 0.0)
    assert holding.left() == other.left


def test_what_is_left_counts_from_when_the_lease_was_asked_for() -> None:
    holding = Holding(lambda: 0.0, lambda: 1000.0)

    assert holding.give(HOUR, 900.0)
    assert holding.left() == 3500.0
    assert holding.give(replace(HOUR, left=50), 900.0)  # over by now
    assert holding.current() is None
    assert holding.take_ended()
    assert not holding.take_ended()


@pytest.mark.parametrize(
    ("until", "said"),
    [
        (1_800_003_600.0, TOLD),
        (1_800_090_000.0, "held until 2027-01-16 09:00 UTC by ann: a new switch"),
    ],
)
def test_a_hold_is_told_with_its_end(until: float, said: str) -> None:
    assert words(Held(1_800_000_000.0, until, 0.0, "a new switch", "ann")) == said


def test_status_shows_the_hold_until_it_ends(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    node.keeper.hold_off(HOUR, node.now)
    line = StatusLine(status_of(node.keeper), 1, working=False)

    (shown,) = (row for row in show_status(line, 0, node.now) if row.startswith("held "))
    assert "until 2027-01-15 09:00:00Z by ann: a new switch" in shown
    assert not any(row.startswith("held ") for row in show_status(line, 0, node.now + 3600))
    node.now += 3600
    assert status_of(node.keeper).hold is None


def held(version: int, nonce: bytes) -> messages.Lease:
    """Give a lease with a hold."""
    payload = replace(
        testing.LEASE, version=version, document=hash_of(version), nonce=nonce, hold=HOUR
    )
    return messages.Lease(lease=sign_lease(payload, testing.LEASE_KEYS))


def leaves(outputs: tuple[link.Output, ...]) -> list[link.Leave]:
    return [one for one in outputs if isinstance(one, link.Leave)]


def test_a_lease_s_hold_counts_from_its_nonce_and_its_end_is_told_once() -> None:
    talk = Talk(standing(1))
    talk.give(link.Tick())
    talk.give(link.Opened(), 0.1)
    assert leaves(talk.say(held(1, talk.nonce), 5.0)) == [link.Leave(HOUR, 0.1)]

    for ends in (True, False):
        talk.say(messages.Renew(), 1.0)
        asked = talk.now
        came = leaves(talk.say(lease(1, talk.nonce), 0.1))
        assert came == ([link.Leave(None, asked)] if ends else [])


def test_a_hold_that_the_journal_kept_is_let_go_of_by_the_first_lease_without() -> None:
    talk = Talk(link.Standing(NEW.trust, held=True))
    talk.give(link.Tick())
    talk.give(link.Opened())

    assert [one.hold for one in leaves(talk.say(lease(0, talk.nonce)))] == [None]


def test_a_lease_that_is_not_believed_holds_nothing() -> None:
    talk = Talk()
    talk.give(link.Tick())
    talk.give(link.Opened())

    assert leaves(talk.say(held(1, b"\x09" * 16))) == []


def test_a_hold_that_the_disk_does_not_take_is_kept_in_memory(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    node.keeper.journal._db.execute("PRAGMA query_only = 1")
    assert node.keeper.hold_off(HOUR, node.now)
    edit(node)
    node.look("file")
    assert content(node) == b"{bad"
    assert "cannot write" in status_of(node.keeper).trouble

    node.keeper.journal._db.execute("PRAGMA query_only = 0")
    node.look()
    kept = Journal(node.path / "journal.db").hold.read()
    assert kept is not None
    assert kept.until == node.now + 3600
