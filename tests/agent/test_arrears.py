"""What a journal did not take waits in order; a fight during a full disk does not grow for ever."""

from __future__ import annotations

from dataclasses import replace

import pytest
from saltern_agent.arrears import Arrear, Arrears


class Disk:
    """Takes writes, or does not."""

    def __init__(self) -> None:
        self.full = True
        self.written: list[str] = []

    def write(self, what: str, note: str) -> None:
        if self.full:
            raise OSError("full")
        self.written.append(what + note)

    def one(self, what: str, of: str = "", ends: bool = False) -> Arrear:
        return Arrear(lambda note: self.write(what, note), of, ends)


def test_what_waits_is_written_in_order_and_leaves_when_it_was() -> None:
    disk, arrears = Disk(), Arrears()
    for name in "abc":
        arrears.add(disk.one(name))
    with pytest.raises(OSError, match="full"):
        arrears.settle()
    assert len(arrears) == 3

    disk.full = False
    arrears.settle()
    assert disk.written == ["a", "b", "c"]
    assert len(arrears) == 0


def test_nothing_is_dropped_however_much_waits() -> None:
    disk, arrears = Disk(), Arrears(most=10)
    for number in range(50):
        arrears.add(disk.one(f"{number}"))
    disk.full = False
    arrears.settle()

    assert disk.written == [f"{number}" for number in range(50)]


def test_a_fight_is_counted_once_many_wait() -> None:
    disk, arrears = Disk(), Arrears(most=10)
    for _ in range(5):
        arrears.add(disk.one("other"))
    for _ in range(100):
        arrears.add(disk.one("seen", "file"))
        arrears.add(disk.one("healed", "file", ends=True))
    arrears.add(disk.one("seen", "file"))
    assert len(arrears) < 20

    disk.full = False
    arrears.settle()
    ends = [one for one in disk.written if one.startswith("healed")]
    assert sum(int(one.split()[5]) if "times" in one else 1 for one in ends) == 100
    assert disk.written[:5] == ["other"] * 5
    assert disk.written[-1] == "seen", "what is open still is told after what ended"
    assert disk.written.count("seen") == len(ends) + 1


def test_what_is_said_anew_keeps_the_first_and_the_last_until_it_ends() -> None:
    disk, arrears = Disk(), Arrears()
    for drift in ("x", "y"):
        arrears.add(disk.one(f"{drift} opened", "file"))
        for number in range(100):
            arrears.add(replace(disk.one(f"now {number}", "file"), anew=True))
            arrears.add(replace(disk.one("other", "other"), anew=True))
        arrears.add(disk.one(f"{drift} ended", "file", ends=True))
    assert len(arrears) == 7

    disk.full = False
    arrears.settle()
    mine = [one for one in disk.written if one != "other"]
    assert mine == ["x opened", "now 99", "x ended", "y opened", "now 99", "y ended"]
