"""What holds a node up: until its program is in the node's groups, the lab's lock is not free."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from saltern_master.lab import enter, state
from saltern_master.lab.errors import LabError

pytestmark = pytest.mark.system

NAME = "held"


def wait_for(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


@contextmanager
def supervising(place: Path, lock: int) -> Iterator[subprocess.Popen[bytes]]:
    """A supervisor whose child hangs on its way into a group: that one is a FIFO nobody reads."""
    (place / "group").mkdir()
    os.mkfifo(place / "group/cgroup.procs")
    plan = {
        "groups": [str(place / "group")],
        "argv": ["/usr/bin/sleep", "600"],
        "environment": {},
        "record": str(place / "supervisor.json"),
        "log": str(place / "log"),
        "restart": 133,
        "lock": lock,
    }
    line = enter.launcher("supervise", plan)
    with subprocess.Popen(line, stdin=subprocess.DEVNULL, pass_fds=(lock,)) as process:
        try:
            yield process
        finally:
            process.kill()
            if held := state.read_supervisor(place / "supervisor.json"):
                with suppress(ProcessLookupError):
                    os.killpg(held.pid, signal.SIGKILL)


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_lock_free(place: Path) -> bool:
    try:
        with state.lock(NAME, 0, place):
            return True
    except LabError:
        return False


def test_nobody_gets_the_lock_before_the_program_is_in_its_groups(tmp_path: Path) -> None:
    with state.lock(NAME, 0, tmp_path) as lock:
        copy = os.dup(lock)
        path = tmp_path / f"saltern-lab-{NAME}.lock"
        kept = tmp_path / "kept"
        os.link(path, kept)
    os.rename(kept, path)  # as it lies when its holder is killed
    with supervising(tmp_path, copy) as process:
        os.close(copy)
        wait_for((tmp_path / "supervisor.json").exists)
        held = state.read_supervisor(tmp_path / "supervisor.json")
        assert held is not None
        wait_for(lambda: children(held.pid))
        process.kill()
        assert not is_lock_free(tmp_path), "its child is not in the group yet"

        assert os.read(os.open(tmp_path / "group/cgroup.procs", os.O_RDONLY), 9) == b"0"

        wait_for(lambda: is_lock_free(tmp_path))
        state.kill(held)


def test_a_child_that_is_not_in_a_group_yet_dies_with_it(tmp_path: Path) -> None:
    with state.lock(NAME, 0, tmp_path) as lock, supervising(tmp_path, lock):
        wait_for((tmp_path / "supervisor.json").exists)
        held = state.read_supervisor(tmp_path / "supervisor.json")
        assert held is not None
        wait_for(lambda: children(held.pid))
        (child,) = children(held.pid)

        state.kill(held)

        wait_for(lambda: has_ended(child))


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True
