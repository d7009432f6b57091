"""What the agent sets right in the wake of another drift is recorded as its own doing, once."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.drift import in_the_wake
from saltern_agent.drift_record import Drift
from saltern_agent.plan import Planned
from saltern_agent.steps import Step
from saltern_protocol.report import DriftEnded, DriftSeen, Nature
from saltern_states.body import DriftPolicy, Resource
from saltern_states.contract import Change
from saltern_states.file import File
from saltern_states.unit import LivesBy, Unit
from saltern_states.unit_changes import RestartUnit, StartUnit

from tests.agent.test_keeper import DAEMON, edit, hold
from tests.agent.test_outbox import Joined
from tests.agent.watching import told

UNIT = "docker.service"
PROGRAM = File(path="/etc/docker/dockerd", text="the program\n", mode="0755")
LIVES_BY = (LivesBy(path=DAEMON.path, sha256=sha256(b"{}\n").hexdigest()),)


@pytest.fixture
def node(tmp_path: Path) -> Joined:
    found = Joined(tmp_path)
    found.host.units.install(UNIT, f"[Service]\nExecStart={PROGRAM.path}\n[Install]\n")
    return found


def drifts(node: Joined) -> dict[str, Drift]:
    return {one.resource: one for one in node.keeper.journal.drift()}


def stale(node: Joined) -> None:
    """Somebody edits the file and restarts the unit, and only the file is told of."""
    edit(node)
    node.host.units.restart(UNIT)


def test_a_unit_restarted_since_its_file_was_put_back_is_corrective(node: Joined) -> None:
    node.take(hold("file", DAEMON), hold("unit", Unit(unit=UNIT, files=LIVES_BY), "file"))
    told(node)
    stale(node)

    assert node.look("file")[-1] == "drift: unit: changed"

    found = drifts(node)
    assert found["file"].nature is Nature.EXTERNAL
    unit = found["unit"]
    assert (unit.nature, unit.seen, unit.by) == (Nature.CORRECTIVE, "look", "")
    assert unit.found[0].startswith(f"restart {UNIT}")
    assert unit.outcome == "healed in the wake of file"
    assert unit.healed == unit.since == unit.recorded
    items = [one for one in told(node) if one.resource == "unit"]  # type: ignore[union-attr]
    assert [type(one) for one in items] == [DriftSeen, DriftEnded]
    assert node.look() == []


def replaced(node: Joined) -> None:
    """Hold a unit with its binary, and let somebody replace that one."""
    unit = hold("unit", Unit(unit=UNIT, binary=PROGRAM.path), "program")
    node.take(hold("program", PROGRAM), unit)
    node.host.files.put_file(PROGRAM.path, b"another\n", 0o755)


def test_a_unit_that_lacks_only_its_binary_is_no_drift_beside_the_binary(node: Joined) -> None:
    replaced(node)

    words = node.look("program", "unit")

    assert "drift: program by event after 2 s" in words
    assert drifts(node).keys() == {"program"}  # as it was is what runs: nothing was restarted
    assert node.look() == []


def test_a_unit_that_is_restarted_since_its_binary_was_put_back_is_corrective(node: Joined) -> None:
    replaced(node)
    node.host.units.restart(UNIT)

    node.look("program", "unit")

    assert {name: one.nature for name, one in drifts(node).items()} == {
        "program": Nature.EXTERNAL,
        "unit": Nature.CORRECTIVE,
    }
    assert node.keeper.ledger.open == {}
    assert node.look() == []


def test_a_unit_without_its_binary_is_drift_where_that_is_only_told(node: Joined) -> None:
    unit = hold("unit", Unit(unit=UNIT, binary=PROGRAM.path), "program")
    node.take(hold("program", PROGRAM, drift=DriftPolicy(mode="report")), unit)
    node.host.files.put_file(PROGRAM.path, b"another\n", 0o755)

    node.look("program", "unit")

    assert drifts(node)["unit"].nature is Nature.EXTERNAL


def test_what_a_document_does_is_no_drift(node: Joined) -> None:
    node.take(hold("file", DAEMON), hold("unit", Unit(unit=UNIT, files=LIVES_BY), "file"))
    stale(node)
    node.take(hold("file", DAEMON), hold("unit", Unit(unit=UNIT, files=LIVES_BY), "file"))

    assert drifts(node) == {}


def test_what_fails_in_the_wake_is_told_and_tried_again(node: Joined) -> None:
    node.take(hold("file", DAEMON), hold("unit", Unit(unit=UNIT, files=LIVES_BY), "file"))
    stale(node)
    node.host.units.fail[UNIT] = "failed"

    node.look("file")

    unit = node.keeper.journal.open_drift()["unit"]
    assert unit.nature is Nature.CORRECTIVE
    assert unit.hindrance.endswith("tried again in 1 s")
    assert node.keeper.retries() == {"unit": 1.0}
    node.host.units.fail.clear()
    node.now += 1
    assert node.look("unit")[-1] == "healed: unit after 1 s"


def test_what_may_not_be_fought_any_more_is_not_touched_in_a_wake_either(node: Joined) -> None:
    bounded = DriftPolicy(times=1, minutes=10)
    node.take(
        hold("file", DAEMON),
        hold("unit", Unit(unit=UNIT, files=LIVES_BY), "file", drift=bounded),
    )
    for _ in range(2):
        stale(node)
        node.look("file")
        node.now += 5

    assert [one.resource for one in node.keeper.journal.drift()].count("unit") == 1
    node.look()
    assert node.keeper.journal.open_drift()["unit"].incident


@pytest.mark.parametrize(
    ("changes", "repaired", "follows"),
    [
        ((("not the one that is there",),), {"program"}, True),
        ((("not the one that is there",),), set(), False),  # it is not set right now
        ((("one", "two"),), {"program"}, False),  # a reason of its own beside it
        ((), {"program"}, False),
    ],
)
def test_a_restart_follows_only_from_a_binary_that_is_put_back(
    changes: tuple[tuple[str, ...], ...], repaired: set[str], follows: bool
) -> None:
    restarts = [RestartUnit(unit=UNIT, invocation="", why=why) for why in changes]
    made: tuple[Change, ...] = tuple(restarts) or (StartUnit(unit=UNIT, was="failed"),)
    program = Planned(Step("hold", Resource(id="program", spec=PROGRAM)), "to change")
    spec = Unit(unit=UNIT, binary=PROGRAM.path)
    unit = Planned(
        Step("hold", Resource(id="unit", spec=spec, after=("program",))), "to change", made
    )
    after = {"program": (), "unit": ("program",)}

    found = in_the_wake((program, unit), frozenset(repaired), after)
    assert found == (frozenset({"unit"}) if follows else frozenset())
    away = replace(unit, step=Step("hold", Resource(id="unit", spec=Unit(unit=UNIT))))
    assert in_the_wake((program, away), frozenset(repaired), after) == frozenset()


def test_a_unit_that_the_boot_starts_in_a_moment_is_not_started_in_a_wake(node: Joined) -> None:
    node.take(hold("file", DAEMON), hold("unit", Unit(unit=UNIT, files=LIVES_BY), "file"))
    told(node)
    edit(node)
    node.host.units.stop(UNIT)
    node.host.units.coming_up = True

    node.look("file")

    assert set(drifts(node)) == {"file"}
    assert node.host.units.state(UNIT).active == "inactive"
