"""The mount table: what is mounted over, or taken from, a path sends no inotify event.

The kernel tells a poller of /proc/self/mountinfo once, and forgets as soon as any poll has
asked (fs/proc_namespace.c, mounts_poll). So there are two descriptors of it: one wakes the
agent's loop, the other keeps the answer until changed() asks.
"""

from __future__ import annotations

import os
import re
import select

MOUNTINFO = "/proc/self/mountinfo"
CHUNK_BYTES = 64 * 1024


def mount_points(before: bytes, after: bytes) -> frozenset[str]:
    """Give the mount points whose lines of mountinfo came, went or changed (proc(5))."""
    lines = set(before.splitlines()) ^ set(after.splitlines())
    return frozenset(_unescaped(line.split(b" ")[4]) for line in lines if line.count(b" ") > 4)


class Mounts:
    """The mount table of the agent's own mount namespace."""

    def __init__(self) -> None:
        self._wakes = os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
        self._keeps = os.open(MOUNTINFO, os.O_RDONLY | os.O_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._keeps, select.POLLPRI)
        self._table = self._read()

    def fileno(self) -> int:
        """Give the descriptor to poll for POLLPRI."""
        return self._wakes

    def changed(self) -> frozenset[str]:
        """Give the mount points where something changed since the last call."""
        if not self._poll.poll(0):
            return frozenset()
        before, self._table = self._table, self._read()
        return mount_points(before, self._table)

    def close(self) -> None:
        """Let go of both descriptors."""
        os.close(self._wakes)
        os.close(self._keeps)

    def _read(self) -> bytes:
        """Read the whole table. A change in the middle of it is told by the next poll."""
        os.lseek(self._keeps, 0, os.SEEK_SET)
        chunks: list[bytes] = []
        while chunk := os.read(self._keeps, CHUNK_BYTES):
            chunks.append(chunk)
        return b"".join(chunks)


def _unescaped(field: bytes) -> str:
    r"""Undo the kernel's escapes: "\040" is a space."""
    return os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8) & 0xFF]), field))
