"""What is hindered is looked at when something tells of it, and not again and again meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.ports import HostError, UnitState
from saltern_states.unit import Unit

from tests.agent.test_keeper import Node, hold
from tests.agent.watching import Watching

UNIT = "docker.service"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_what_failed_and_is_hindered_now_is_not_looked_at_without_end(node: Node) -> None:
    node.host.units.install(UNIT)
    node.take(hold("unit", Unit(unit=UNIT)))
    node.host.units.stop(UNIT)
    node.host.units.fail[UNIT] = "failed"
    node.look("unit")  # tried, and tried again in a second
    node.host.files.take(Path("/usr/lib/systemd/system", UNIT))
    node.host.units.reload_daemon()
    watching = Watching(node)
    due = node.keeper.retries()["unit"]
    watching.notices.retries = {"unit": node.now + due}

    watching.rest(60)

    assert node.keeper.ledger.open["unit"].hindrance == f"there is no unit {UNIT}"
    assert watching.looks <= 3  # the retry, and the minute's


def test_what_cannot_be_read_since_something_before_it_cannot_is_not_told_beside_it(
    node: Node,
) -> None:
    for name in (UNIT, "kubelet.service"):
        node.host.units.install(name)
    node.take(
        hold("docker", Unit(unit=UNIT)), hold("kubelet", Unit(unit="kubelet.service"), "docker")
    )

    def silent(_unit: str) -> UnitState:
        raise HostError("cannot ask systemd: the bus does not answer")

    node.host.units.state = silent  # type: ignore[method-assign,assignment]
    Watching(node).rest(130)

    assert [one.resource for one in node.keeper.journal.drift()] == ["docker"]


def test_what_is_hindered_no_more_is_set_right_at_the_next_look_that_is_told(node: Node) -> None:
    node.host.units.install(UNIT)
    node.take(hold("unit", Unit(unit=UNIT)))
    node.host.units.stop(UNIT)
    node.host.units.fail[UNIT] = "failed"
    node.look("unit")
    node.host.files.take(Path("/usr/lib/systemd/system", UNIT))
    node.host.units.reload_daemon()
    node.now += 1
    node.look("unit")
    assert node.keeper.retries() == {}

    node.host.units.install(UNIT)
    node.host.units.reload_daemon()
    node.host.units.fail.clear()
    node.look("unit")
    assert node.keeper.ledger.open == {}
