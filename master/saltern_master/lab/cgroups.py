"""The node's own cgroups: where they lie, how they are made, emptied and removed.

On cgroup v1 a node has one group in every hierarchy; nspawn's cgroup namespace then shows each
of them to the node as a root. On v2 it has one group, in which nspawn makes `payload` and
`supervisor` itself. What is in a node's group belongs to the node, so that is what may be killed.
Parsing and planning are pure; the rest touches /sys/fs/cgroup below `saltern-lab` only.
"""

import errno
import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from saltern_master.lab.errors import LabError

TOP = "saltern-lab"
ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup tree: its version (1 or 2) and, for version 1, its controllers."""

    mount: Path
    version: int
    controllers: frozenset[str] = frozenset()


def parse_mountinfo(text: str) -> tuple[Hierarchy, ...]:
    """Find the cgroup trees in the text of /proc/self/mountinfo (proc_pid_mountinfo(5))."""
    found: dict[tuple[int, frozenset[str]], Hierarchy] = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, rest = right.partition(" ")
        mount = Path(left.split()[4].encode().decode("unicode_escape"))
        if kind == "cgroup2":
            found.setdefault((2, frozenset()), Hierarchy(mount, 2))
        elif kind == "cgroup":
            names = frozenset(rest.split()[-1].split(",")) - _MOUNT_OPTIONS
            found.setdefault((1, names), Hierarchy(mount, 1, names))
    return tuple(found.values())


_MOUNT_OPTIONS = frozenset({"rw", "ro", "clone_children", "noprefix", "xattr"})


def version(trees: Sequence[Hierarchy]) -> int:
    """Say which version governs: 2 when the v2 tree is mounted at the top, else 1."""
    if any(tree.version == 2 and tree.mount == ROOT for tree in trees):
        return 2
    if any("name=systemd" in tree.controllers for tree in trees):
        return 1
    raise LabError(
        f"cannot boot a node: {ROOT} has neither a cgroup2 tree nor a version 1 tree "
        "named systemd; "
        f"mount one (mount -t cgroup2 cgroup2 {ROOT})"
    )


def plan(trees: Sequence[Hierarchy], lab: str, node: str) -> tuple[Path, ...]:
    """Name the node's groups; the first is the one that tells which processes are the node's."""
    if version(trees) == 2:
        return (ROOT / TOP / lab / node,)
    ordered = sorted(trees, key=lambda tree: "name=systemd" not in tree.controllers)
    return tuple(tree.mount / TOP / lab / node for tree in ordered)


def of_process(trees: Sequence[Hierarchy], text: str) -> tuple[Path, ...]:
    """Name the groups that the text of /proc/PID/cgroup speaks of (cgroups(7))."""
    groups = []
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        wanted = frozenset(names.split(",")) - {""}
        for tree in trees:
            if tree.controllers == wanted:
                groups.append(tree.mount / PurePosixPath(path).relative_to("/"))
    return tuple(groups)


def make(group: Path, tries: int = 100) -> None:
    """Make a node's group and what leads to it; a cpuset is useless until its values are copied.

    Whoever takes another lab down removes what leads to its groups, which may be what was made
    here just now: then it is made anew. LabError where that does not end.
    """
    for _ in range(tries):
        try:
            return _make_once(group)
        except OSError as error:
            if error.errno not in _GONE:
                raise
    raise LabError(f"cannot make {group}: what leads to it was removed {tries} times meanwhile")


_GONE = (errno.ENOENT, errno.ENODEV)  # a folder; a file in one


def _make_once(group: Path) -> None:
    above = [folder for folder in reversed(group.parents) if TOP in folder.parts]
    for folder in (*above, group):
        _enable_below(folder.parent)
        with suppress(FileExistsError):  # mkdir(exist_ok) looks again, and it may be gone by then
            folder.mkdir()
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (
                _is_v1(folder)
                and (folder / name).exists()
                and not (folder / name).read_text().strip()
            ):
                (folder / name).write_text((folder.parent / name).read_text())


def _is_v1(folder: Path) -> bool:
    return not (folder / "cgroup.controllers").exists()


def _enable_below(folder: Path) -> None:
    """Hand every controller down (v2 only); one that cannot be is one that the node lacks."""
    if _is_v1(folder):
        return
    for name in (folder / "cgroup.controllers").read_text().split():
        with suppress(OSError):
            (folder / "cgroup.subtree_control").write_text(f"+{name}")


def processes(group: Path) -> Iterator[int]:
    """Give the processes in a group and below it, from the top down."""
    for folder, below, _ in os.walk(group):
        below.sort()
        with suppress(OSError):  # it may go while we look
            yield from map(int, Path(folder, "cgroup.procs").read_text().split())


def kill_at_once(groups: Sequence[Path], seconds: float = 20) -> None:
    """Kill all that is in a node's groups as a power cut does: none sees another one die.

    They stand still while they are killed, and are dead before they could go on. What cannot be
    stopped in time is killed all the same.
    """
    freezer = _freezer(groups)
    if freezer is not None:
        freezer.write_text(_STOP[freezer.name])
    try:
        deadline = time.monotonic() + seconds
        while freezer and not _stands_still(freezer) and time.monotonic() < deadline:
            time.sleep(0.001)
        for group in groups:
            _kill_once(group)
    finally:
        if freezer is not None:
            freezer.write_text(_GO_ON[freezer.name])


_STOP = {"freezer.state": "FROZEN", "cgroup.freeze": "1"}  # of v1, of v2
_GO_ON = {"freezer.state": "THAWED", "cgroup.freeze": "0"}


def _freezer(groups: Sequence[Path]) -> Path | None:
    """One is enough; where both are mounted, what stands still for v1 never does so for v2."""
    there = (group / name for name in _STOP for group in groups if (group / name).exists())
    return next(there, None)


def _stands_still(freezer: Path) -> bool:
    if freezer.name == "freezer.state":
        return freezer.read_text().strip() == "FROZEN"
    return "frozen 1" in (freezer.parent / "cgroup.events").read_text().splitlines()


def kill(group: Path, seconds: float = 20) -> None:
    """Kill all that is in a group, and wait until it is empty; LabError after `seconds`."""
    deadline = time.monotonic() + seconds
    while left := _kill_once(group):
        if time.monotonic() > deadline:
            raise LabError(f"cannot empty {group}: processes {left} do not die")
        time.sleep(0.01)


def _kill_once(group: Path) -> list[int]:
    left = [pid for pid in processes(group) if pid != os.getpid()]
    for pid in left:
        _kill_member(group, pid)
    return left


def _kill_member(group: Path, pid: int) -> None:
    """Kill by descriptor, and only what is still a member: a pid may be somebody else's by now."""
    with suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            if pid in processes(group):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)


def remove(group: Path, seconds: float = 30) -> None:
    """Kill and remove a group with all below it, then what led to it if nothing else is there.

    It is emptied again before each try: a process may have come in, or have made a group below,
    since. One that was just emptied can be busy for a moment. LabError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    while error := _remove_once(group):
        if time.monotonic() > deadline:
            left = f"; processes {found}" if (found := list(processes(group))) else ""
            raise LabError(f"cannot remove {group}: {error.strerror}{left}") from error
        _kill_once(group)
        time.sleep(0.01)
    for folder in group.parents:
        if TOP not in folder.parts:
            break
        with suppress(OSError):  # another node's or lab's groups are there
            folder.rmdir()


def _remove_once(group: Path) -> OSError | None:
    """Remove what can be, from the bottom up; give why the group itself is still there."""
    for name, _, _ in os.walk(group, topdown=False):
        with suppress(OSError):  # then what is above it says so too
            Path(name).rmdir()
    try:
        group.rmdir()
    except FileNotFoundError:
        return None
    except OSError as error:
        return error
    return None
