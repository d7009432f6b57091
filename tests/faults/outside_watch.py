"""What happens in directories that nobody may come to, as inotify(7) tells it."""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

IN_NONBLOCK, IN_CLOEXEC = 0o4000, 0o2000000
# open, access, modify, attributes of a child, create, delete, move
EVENTS = 0x20 | 0x1 | 0x2 | 0x4 | 0x100 | 0x200 | 0x40 | 0x80
EVENT = struct.Struct("=iIII")


class OutsideWatch:
    """Counts what is opened, changed or made in some directories, by whatever way."""

    def __init__(self, directories: Iterable[Path]) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._handle = libc.inotify_init1(IN_NONBLOCK | IN_CLOEXEC)
        for directory in directories:
            added = libc.inotify_add_watch(self._handle, os.fsencode(directory), EVENTS)
            if min(self._handle, added) < 0:
                raise OSError(ctypes.get_errno(), "cannot watch", str(directory))

    def close(self) -> None:
        """Watch no longer."""
        os.close(self._handle)

    def events(self) -> list[str]:
        """Give what happened since the last call: the event's bits, and the name in it."""
        told = list[str]()
        while True:
            try:
                data = os.read(self._handle, 1 << 16)
            except BlockingIOError:
                return told
            at = 0
            while at < len(data):
                _, mask, _, length = EVENT.unpack_from(data, at)
                name = data[at + EVENT.size : at + EVENT.size + length].rstrip(b"\0")
                told.append(f"{mask:#x} {os.fsdecode(name)}")
                at += EVENT.size + length
