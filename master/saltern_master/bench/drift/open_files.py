"""What a process holds open, counted by kind: runs in the node, beside the agent, and reads /proc.

A kind is what a descriptor is of: `socket unix`, `socket tcp`, `socket netlink`, `inotify`,
`eventpoll`, `pipe`, or a file's path, with `N` for every number that is a name in /proc.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
INODES = {"unix": 6, "tcp": 9, "tcp6": 9, "udp": 9, "udp6": 9, "netlink": 9}
"""Of each table in /proc/PID/net: the column of a socket's inode (proc(5))."""
SOCKET = re.compile(r"socket:\[([0-9]+)\]\Z")
NAMELESS = re.compile(r"(?:anon_inode:)?\[?([a-z_]+)\]?(?::\[[0-9]+\])?\Z")
NUMBER = re.compile(r"(?<=/)[0-9]+(?=/|\Z)")


def open_files(pid: int, proc: Path = PROC) -> Counter[str]:
    """Count what a process holds open. OSError: there is none."""
    families = socket_families(proc / f"{pid}/net")
    return Counter(kind_of(link, families) for link in _links(proc / f"{pid}/fd"))


def kind_of(link: str, families: Mapping[str, str]) -> str:
    """Give the kind of a descriptor by what its link in /proc/PID/fd says."""
    if found := SOCKET.match(link):
        return f"socket {families.get(found[1], 'of another kind')}"
    if link.startswith("/"):
        return NUMBER.sub("N", link) if link.startswith("/proc/") else link
    found = NAMELESS.match(link)
    return found[1] if found else link


def socket_families(tables: Path) -> dict[str, str]:
    """Give the family of each socket of a network namespace, by inode. `tables`: /proc/PID/net."""
    found = {}
    for family, column in INODES.items():
        try:
            lines = (tables / family).read_text().splitlines()
        except FileNotFoundError:  # this kernel has none of these
            continue
        fields = (line.split() for line in lines[1:])
        found.update({one[column]: family for one in fields if len(one) > column})
    return found


def _links(directory: Path) -> Iterable[str]:
    for one in directory.iterdir():
        with suppress(FileNotFoundError):  # closed since
            yield str(one.readlink())
