"""A node's groups on this machine's real kernel: made usable, emptied by killing, removed."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.lab import cgroups

pytestmark = pytest.mark.system


@pytest.fixture
def groups() -> Iterator[tuple[Path, ...]]:
    trees = cgroups.parse_mountinfo(Path("/proc/self/mountinfo").read_text())
    planned = cgroups.plan(trees, f"g{os.getpid()}", "w1")
    for group in planned:
        cgroups.make(group)
    yield planned
    for group in planned:
        cgroups.kill(group)
        cgroups.remove(group)


def start_in(group: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(["/usr/bin/sleep", "600"])
    (group / "cgroup.procs").write_text(str(process.pid))
    return process


def test_a_process_can_be_put_into_each(groups: tuple[Path, ...]) -> None:
    for group in groups:
        with start_in(group) as process:
            assert list(cgroups.processes(group)) == [process.pid]
            process.kill()


def test_making_twice_changes_nothing(groups: tuple[Path, ...]) -> None:
    for group in groups:
        cgroups.make(group)
        assert group.is_dir()


def test_all_in_and_below_is_killed_and_nothing_beside(groups: tuple[Path, ...]) -> None:
    top, below = groups[0], groups[0] / "a/b"
    below.mkdir(parents=True)
    with start_in(top) as one, start_in(below) as two, start_in(top.parent) as beside:
        cgroups.kill(top)
        assert (one.wait(5), two.wait(5)) == (-9, -9)
        assert beside.poll() is None
        beside.kill()
        beside.wait(5)
    cgroups.remove(top)
    assert not top.parent.exists(), "the lab's own folder had nothing else in it"
    cgroups.remove(top)  # there is nothing to do


def test_what_came_in_after_it_was_emptied_does_not_keep_a_group(groups: tuple[Path, ...]) -> None:
    top = groups[0]
    cgroups.kill(top)
    (top / "late/below").mkdir(parents=True)
    with start_in(top) as one, start_in(top / "late/below") as two:
        cgroups.remove(top)
        assert (one.wait(5), two.wait(5)) == (-9, -9)
    assert not top.exists()
