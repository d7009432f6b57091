"""Who is waited for: when it is said, by a clock that the test turns, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from saltern_master.api.service import TurnNode
from saltern_master.cli.new_file import write_new
from saltern_master.cli.quiet import Quiet, waits_line
from saltern_master.cli.refusals import FileError


@dataclass
class Clock:
    """Seconds, as the test says."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def due(quiet: Quiet, clock: Clock, seconds: range) -> list[int]:
    """Give the seconds at which it was told."""
    found = []
    for second in seconds:
        clock.now = 1000.0 + second
        if quiet.is_due():
            found.append(second)
    return found


def test_it_is_said_after_ten_quiet_seconds_and_each_thirty_from_then_on() -> None:
    clock = Clock()
    assert due(Quiet(clock), clock, range(101)) == [10, 40, 70, 100]


def test_what_happens_makes_it_quiet_from_then_on_only() -> None:
    clock = Clock()
    quiet = Quiet(clock)
    assert due(quiet, clock, range(12)) == [10]
    quiet.heard()  # at 11
    assert due(quiet, clock, range(12, 60)) == [21, 51]


@pytest.mark.parametrize(
    ("connected", "told"),
    [
        ({"w2"}, "waits for w1 (not connected), w2"),
        ({"w1", "w2"}, "waits for w1, w2"),
        (set(), "waits for w1 (not connected), w2 (not connected)"),
        (None, "waits for w1, w2"),
    ],
    ids=["one away", "none away", "all away", "unknown"],
)
def test_who_is_waited_for_is_named(connected: set[str] | None, told: str) -> None:
    nodes = [TurnNode("w1", "waiting"), TurnNode("w2", "waiting"), TurnNode("w3", "changed")]
    assert waits_line(nodes, connected) == told
    assert waits_line(nodes[2:], connected) == ""


def test_a_new_file_is_whole_or_not_there(tmp_path: Path) -> None:
    write_new(tmp_path / "one", b"first")
    with pytest.raises(FileError, match="it is there already"):
        write_new(tmp_path / "one", b"second")
    with pytest.raises(FileError, match="No such file"):
        write_new(tmp_path / "none" / "one", b"third")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("one", b"first")]
