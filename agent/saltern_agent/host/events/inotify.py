"""inotify, as inotify(7) has it: the three calls through libc, and its bytes as values.

Python has no binding of its own. A watch belongs to an inode, not to a name: adding another
path to the same inode gives the same number.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import IntFlag

BUFFER_BYTES = 64 * 1024  # about 2,000 events; an event has at most 16 + 256 bytes


class Mask(IntFlag):
    """The bits of <sys/inotify.h> that we use."""

    MODIFY = 0x2
    ATTRIB = 0x4
    CLOSE_WRITE = 0x8
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATE = 0x100
    DELETE = 0x200
    UNMOUNT = 0x2000
    Q_OVERFLOW = 0x4000
    IGNORED = 0x8000
    ONLYDIR = 0x0100_0000
    DONT_FOLLOW = 0x0200_0000
    MASK_ADD = 0x2000_0000


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `name` is an entry of the watched directory, "" the watched thing itself."""

    wd: int
    mask: int
    name: str


def parse(data: bytes) -> Iterator[Event]:
    """Read what the kernel gave; it gives whole events only."""
    at = 0
    while at + 16 <= len(data):
        wd, mask, _cookie, length = struct.unpack_from("=iIII", data, at)
        name = data[at + 16 : at + 16 + length].rstrip(b"\0")
        yield Event(wd, mask, os.fsdecode(name))
        at += 16 + length


class Inotify:
    """One inotify instance."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _failure("inotify_init1")

    def fileno(self) -> int:
        """Give the descriptor."""
        return int(self._fd)

    def add(self, path: str, mask: int) -> int:
        """Watch the inode at `path`, give the watch's number; OSError with the kernel's errno."""
        wd = self._libc.inotify_add_watch(self._fd, os.fsencode(path), ctypes.c_uint32(mask))
        if wd < 0:
            raise _failure(path)
        return int(wd)

    def remove(self, wd: int) -> None:
        """Stop a watch; one whose inode is gone was stopped by the kernel."""
        self._libc.inotify_rm_watch(self._fd, ctypes.c_int(wd))

    def read(self) -> tuple[Event, ...]:
        """Give one buffer of events, () where there is none."""
        with suppress(BlockingIOError):
            return tuple(parse(os.read(self._fd, BUFFER_BYTES)))
        return ()

    def close(self) -> None:
        """Let go of the descriptor and of every watch."""
        os.close(self._fd)


def _failure(what: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), what)
