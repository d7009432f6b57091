"""A fight is one incident however long it goes on, told at once, and it ends with the drift."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from saltern_agent.fighting import CALM, Fighting
from saltern_protocol.report import DriftEnded, DriftSeen
from saltern_states.body import DriftPolicy
from saltern_states.unit import Unit

from tests.agent.test_keeper import DAEMON, edit, hold
from tests.agent.test_outbox import Joined
from tests.agent.watching import Watching, told

POLICY = DriftPolicy(times=3, minutes=10)
UNIT = "docker.service"


@pytest.fixture
def node(tmp_path: Path) -> Joined:
    return Joined(tmp_path, most=50_000)


def incidents(node: Joined) -> list[int]:
    """Give the drifts that were ever an incident, oldest first."""
    return sorted(one.seq for one in node.keeper.journal.drift(1000) if one.incident)


@pytest.mark.parametrize("every", [1.0, 7.0, 45.0])
def test_a_job_that_undoes_a_file_without_end_is_one_incident(node: Joined, every: float) -> None:
    node.take(hold("file", DAEMON, drift=POLICY))
    watching = Watching(node)

    watching.run(3600, lambda: edit(node), every, DAEMON.path)

    (incident,) = incidents(node)
    assert [one.seq for one in node.keeper.journal.drift()] == [4, 3, 2, 1]
    assert incident == 4
    open_one = node.keeper.journal.open_drift()["file"]
    words = "a fight: set right 3 times in 10 minutes and off again, so it is tried no oftener"
    assert (open_one.hindrance, open_one.attempts, open_one.incident) == (words, 3, True)
    seen = [one for one in told(node) if isinstance(one, DriftSeen) and one.number == incident]
    assert [(one.incident, one.hindrance) for one in seen] == [(True, words)]


def test_a_fight_ends_with_the_drift_once_the_other_has_given_up(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=POLICY))
    watching = Watching(node)
    watching.run(1300, lambda: edit(node), 2.0, DAEMON.path)
    assert node.keeper.journal.open_drift()["file"].incident

    watching.rest(600 + CALM + 1)

    assert node.keeper.journal.open_drift() == {}
    ended = [one for one in told(node) if isinstance(one, DriftEnded)]
    assert [one.number for one in ended] == [1, 2, 3, 4]
    assert ended[-1].outcome == "healed"
    assert node.host.files.read(Path(DAEMON.path)) == b"{}\n"


def test_attempts_stay_within_the_policy_however_long_it_goes_on(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=POLICY))
    repairs: list[float] = []
    watching = Watching(node)

    def undo() -> None:
        if node.host.files.read(Path(DAEMON.path)) == b"{}\n":
            repairs.append(node.now)
        edit(node)

    watching.run(3600, undo, 1.0, DAEMON.path)

    undone = repairs[1:]
    windows = [later - first for first, later in zip(undone, undone[POLICY.times :], strict=False)]
    assert len(undone) >= 3 * 5
    assert min(windows) > POLICY.minutes * 60 - 1


def test_attempts_that_fail_are_told_as_such_with_the_last_reason(node: Joined) -> None:
    node.host.units.install(UNIT)
    node.take(hold("unit", Unit(unit=UNIT), drift=DriftPolicy(times=2, minutes=10)))
    node.host.units.stop(UNIT)
    node.host.units.fail[UNIT] = "failed"
    watching = Watching(node)

    watching.rest(90)

    drift = node.keeper.journal.open_drift()["unit"]
    assert drift.incident
    assert drift.hindrance.startswith(
        "tried 2 times in 10 minutes in vain, so it is tried no oftener:"
    )
    assert drift.attempts == 2


def test_a_fight_is_known_at_once_by_the_attempt_that_used_all_up(node: Joined) -> None:
    node.host.units.install(UNIT)
    node.take(hold("unit", Unit(unit=UNIT), drift=DriftPolicy(times=1, minutes=10)))
    node.host.units.stop(UNIT)
    node.host.units.fail[UNIT] = "failed"

    node.look("unit")

    assert node.keeper.journal.open_drift()["unit"].incident


def test_a_fight_goes_on_after_a_restart_and_a_document_ends_it(node: Joined) -> None:
    node.take(hold("file", DAEMON, drift=POLICY))
    watching = Watching(node)
    watching.run(10, lambda: edit(node), 1.0, DAEMON.path)
    node.start()
    again = Watching(node)
    again.run(1300, lambda: edit(node), 1.0, DAEMON.path)
    assert incidents(node) == [4]

    node.take(hold("file", DAEMON))
    assert node.keeper.journal.open_drift() == {}
    assert node.keeper.journal.drift()[0].outcome == "a document came"


def test_what_only_has_no_bound_is_never_a_fight(node: Joined) -> None:
    node.take(hold("file", DAEMON))
    Watching(node).run(120, lambda: edit(node), 1.0, DAEMON.path)

    assert incidents(node) == []


@given(st.lists(st.integers(1, 4000), min_size=1, max_size=40), st.integers(1, 60))
def test_a_rest_is_never_longer_than_the_window_nor_shorter_than_it_lasted(
    stays: list[int], minutes: int
) -> None:
    policy, now = DriftPolicy(times=1, minutes=minutes), 1000.0
    fighting = Fighting(lambda _: ())
    for stay in stays:
        fighting.put_right("a", "healed", now)
        now += stay
        fighting.off("a", policy, now)
    fighting.put_right("a", "healed", now)

    rest, window = fighting.unrest("a", policy, now), minutes * 60.0
    assert min(CALM, window) <= rest <= window
    if stays[-1] <= window:
        assert rest >= min(window, stays[-1])


@example([0.0, 0.0, 60.0], 3, 1)  # the wait is shorter than a hundredth: before it is before now
@given(st.lists(st.floats(0, 900), max_size=30), st.integers(1, 5), st.integers(1, 10))
def test_what_is_waited_for_lets_an_attempt_through_and_no_earlier(
    ages: list[float], times: int, minutes: int
) -> None:
    policy, now = DriftPolicy(times=times, minutes=minutes), 5000.0
    attempts = sorted(now - age for age in ages)
    fighting = Fighting(lambda _: attempts)
    wait = fighting.wait("a", policy, now)

    assert not fighting.fought("a", policy, now + wait)
    if wait:
        assert fighting.fought("a", policy, max(now, now + wait - 0.01))
    assert all(before <= after for before, after in pairwise(attempts))


def test_a_clock_that_was_set_back_begins_the_rest_anew() -> None:
    policy, fighting = DriftPolicy(times=1, minutes=1), Fighting(lambda _: ())
    fighting.put_right("a", "healed", 1000.0)

    assert fighting.put_right("a", "healed", 500.0) == (500.0, "healed")
    assert fighting.unrest("a", policy, 500.0) == CALM
