"""A node's groups on this machine's real kernel: made usable, emptied by killing, removed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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


WITNESS = """
import os, pathlib, select, sys
other, seen = os.pidfd_open(int(sys.argv[1])), pathlib.Path(sys.argv[2])
print("looks", flush=True)
select.select([other], [], [])
seen.touch()
"""


def test_when_power_is_cut_none_sees_another_one_die(
    groups: tuple[Path, ...], tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    for _ in range(20):
        with (
            subprocess.Popen(["/usr/bin/sleep", "600"]) as first,
            subprocess.Popen(
                [sys.executable, "-c", WITNESS, str(first.pid), str(seen)], stdout=subprocess.PIPE
            ) as witness,
        ):
            try:
                for group in groups:
                    (group / "cgroup.procs").write_text(str(first.pid))
                    (group / "cgroup.procs").write_text(str(witness.pid))
                assert witness.stdout is not None
                assert witness.stdout.readline() == b"looks\n"

                cgroups.kill_at_once(groups)

                assert (first.wait(5), witness.wait(5)) == (-9, -9)
            finally:
                first.kill()
                witness.kill()
    assert not seen.exists()


def test_a_node_can_come_while_another_one_goes() -> None:
    trees = cgroups.parse_mountinfo(Path("/proc/self/mountinfo").read_text())

    def come_and_go(node: str) -> None:
        for _ in range(100):
            planned = cgroups.plan(trees, f"h{os.getpid()}", node)
            for group in planned:
                cgroups.make(group)
            for group in planned:
                cgroups.remove(group)

    with ThreadPoolExecutor(3) as at_once:
        assert list(at_once.map(come_and_go, ("w1", "w2", "w3"))) == [None] * 3
