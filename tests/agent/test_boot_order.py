"""What a boot has not come to yet is no drift; what is wrong beside it is told at once."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.unit import Unit

from tests.agent.test_keeper import DAEMON, Node, hold

UNIT = "kubelet.service"


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path / "journal")
    node.host.units.install(UNIT)
    node.host.files.put_directory(Path(DAEMON.path).parent)
    node.take(hold("unit", Unit(unit=UNIT)), hold("file", DAEMON))
    node.host.units.stop(UNIT)
    return node


def test_a_unit_that_the_boot_starts_later_is_left_to_it(node: Node) -> None:
    node.host.units.coming_up = True
    assert node.look("unit") == []
    assert node.keeper.journal.drift() == ()
    assert node.host.units.state(UNIT).active == "inactive"


def test_after_the_boot_it_is_drift_and_started(node: Node) -> None:
    assert node.look("unit")[0] == "drift: unit by event after 2 s"
    assert node.host.units.state(UNIT).active == "active"


def test_a_unit_that_somebody_disabled_is_told_during_the_boot_too(node: Node) -> None:
    node.host.units.disable(UNIT)
    node.host.units.coming_up = True
    assert node.look("unit")[0] == "drift: unit by event after 2 s"


def test_a_file_is_set_right_during_the_boot_too(node: Node) -> None:
    node.host.units.coming_up = True
    node.host.files.put_file(Path(DAEMON.path), b"other")
    assert node.look("file", "unit") == [
        "drift: file by event after 2 s",
        "drift: file: changed",
        "healed: file after 2 s",
    ]
    assert node.host.units.state(UNIT).active == "inactive"
