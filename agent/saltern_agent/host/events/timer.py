"""A timer that is a descriptor (timerfd_create(2)), through libc: Python has it from 3.13 on."""

from __future__ import annotations

import ctypes
import os
import struct
import time
from contextlib import suppress
from typing import Final

SPECIFICATION: Final = struct.Struct("@qqqq")  # interval and first time: seconds, nanoseconds


class Timer:
    """Readable once, so many seconds after it was set."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        flags = os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = int(self._libc.timerfd_create(time.CLOCK_MONOTONIC, flags))
        if self._fd < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "timerfd_create")

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._fd

    def set(self, seconds: float) -> None:
        """Start it anew; 0 seconds stop it."""
        whole, rest = divmod(round(seconds * 1e9), 1_000_000_000)
        once = SPECIFICATION.pack(0, 0, whole, rest)
        if self._libc.timerfd_settime(self._fd, 0, once, None) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), "timerfd_settime")

    def is_due(self) -> bool:
        """Say whether the time has come; it says so once."""
        with suppress(BlockingIOError):
            return bool(os.read(self._fd, 8))
        return False

    def close(self) -> None:
        """Let go of the descriptor."""
        os.close(self._fd)
