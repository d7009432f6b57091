"""What may be relied on of a file or directory by whose it is and who else may touch it. Pure.

What only its owner may read keeps a secret; what only its owner may write says what its owner
said. All that is wrong with a thing is told at once, each with what sets it right.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from saltern_protocol.errors import printable

UNTOUCHED: Final = 0o022  # nobody else writes
UNREAD: Final = 0o066  # nor reads; a directory may be passed through to a name that is known
SECRET: Final = 0o077

_TYPES: Final = {
    stat.S_IFLNK: "a symlink",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a file",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A thing of ours, and the permission bits that nobody else may have on it."""

    path: str
    denied: int
    directory: bool = False
    if_read: str = ""  # what is to be done where others could read what was a secret


@dataclass(frozen=True, slots=True)
class Found:
    """What stands there: its mode with its type as stat(2) has it, and its owner's number."""

    mode: int
    owner: int


def faults(wanted: Wanted, found: Found, me: int) -> tuple[str, ...]:
    """Name all that is wrong with one thing, each with what to do; `me` is this user's number."""
    path, type_ = printable(wanted.path), stat.S_IFMT(found.mode)
    needed = stat.S_IFDIR if wanted.directory else stat.S_IFREG
    if type_ != needed:
        is_, put = _TYPES.get(type_, "a device"), _TYPES[needed]
        return (f"{path}: it is {is_}; take it away and put {put} itself there",)
    told = []
    if found.owner != me:
        told.append(
            f"{path}: it belongs to user {found.owner}, who can change it; see what was changed, "
            f"then run: chown {me} {path}"
        )
    if others := found.mode & wanted.denied & 0o077:
        mode = stat.S_IMODE(found.mode)
        read = wanted.if_read and others & 0o044
        then = f"; {wanted.if_read}" if read else ""
        told.append(
            f"{path}: others can {_verbs(others)} it (mode {mode:04o}); "
            f"run: chmod {mode & ~wanted.denied:04o} {path}{then}"
        )
    return tuple(told)


def way_faults(above: Iterable[tuple[str, Found]]) -> tuple[str, ...]:
    """Name the directories on the way to a thing where anybody could put another in its place."""
    return tuple(
        f"{printable(path)}: anybody can put another directory below it "
        f"(mode {stat.S_IMODE(found.mode):04o}); run: chmod o-w {printable(path)}"
        for path, found in above
        if found.mode & stat.S_IWOTH and not found.mode & stat.S_ISVTX
    )


def _verbs(bits: int) -> str:
    named = {0o044: "read", 0o022: "write", 0o011: "enter"}
    return " and ".join(verb for mask, verb in named.items() if bits & mask)
