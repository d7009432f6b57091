"""Who listens on which TCP port, and how many inotify instances root has: one pass over /proc.

* Processes come and go while they are looked at: one that is gone is passed over.
* A pass ends at its deadline; what was not looked at by then is not guessed at: None.

Outside facts: proc_pid_fd(5), proc_pid_net(5).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROC: Final = Path("/proc")
SECONDS: Final = 2.0
LISTENS: Final = "0A"
INOTIFY: Final = "anon_inode:inotify"


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that listens, and whose it is; pid 0: nobody's that can be seen."""

    port: int
    pid: int = 0
    name: str = ""
    cgroup: str = ""


class Pass:
    """What one pass over the processes found."""

    def __init__(self) -> None:
        self.owners: dict[str, int] = {}  # socket -> pid
        self.inotify = 0


def listening(
    ports: Collection[int], clock: Callable[[], float], proc: Path = PROC
) -> tuple[tuple[Listening, ...], int] | None:
    """Give who listens on these ports, and root's inotify instances; None: not done in time."""
    sockets = _sockets(ports, proc)
    done = _pass(frozenset(sockets), clock, proc)
    if done is None:
        return None
    found = [_listening(port, done.owners.get(name, 0), proc) for name, port in sockets.items()]
    return tuple(sorted(set(found), key=lambda one: (one.port, one.pid))), done.inotify


def environment(pid: int, proc: Path = PROC) -> dict[str, str]:
    """Give a process's environment; {} where it is gone."""
    words = _read(proc / str(pid) / "environ").split("\0")
    return dict(word.split("=", 1) for word in words if "=" in word)


def program(pid: int, proc: Path = PROC) -> str:
    """Give the file that a process runs, as the kernel calls it. OSError: it is gone."""
    return os.readlink(proc / str(pid) / "exe")


def command_line(pid: int, proc: Path = PROC) -> tuple[str, ...]:
    """Give a process's arguments; () where it is gone."""
    return tuple(_read(proc / str(pid) / "cmdline").split("\0")[:-1])


def _sockets(ports: Collection[int], proc: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for table in ("tcp", "tcp6"):
        for line in _read(proc / "self/net" / table).splitlines()[1:]:
            words = line.split()
            port = int(words[1].rpartition(":")[2], 16)
            if words[3] == LISTENS and port in ports:
                found[f"socket:[{words[9]}]"] = port
    return found


def _pass(wanted: Collection[str], clock: Callable[[], float], proc: Path) -> Pass | None:
    found, until = Pass(), clock() + SECONDS
    for name in os.listdir(proc):
        if not name.isdigit():
            continue
        if clock() > until:
            return None
        _look_at(f"{proc}/{name}", int(name), wanted, found)
    return found


def _look_at(process: str, pid: int, wanted: Collection[str], found: Pass) -> None:
    try:
        of_root = os.stat(process).st_uid == 0
        for entry in os.listdir(f"{process}/fd"):
            target = os.readlink(f"{process}/fd/{entry}")
            if target in wanted:
                found.owners[target] = pid
            elif target == INOTIFY:
                found.inotify += of_root
    except OSError:
        return  # it is gone, or not ours to look at


def _listening(port: int, pid: int, proc: Path) -> Listening:
    if not pid:
        return Listening(port)
    place = proc / str(pid)
    name = _read(place / "comm").strip()
    return Listening(port, pid, name, _read(place / "cgroup"))


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
