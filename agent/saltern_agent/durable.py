"""Durable: fsync, and what it means that one failed.

* After an fsync that failed the kernel has given up what it could not write, and says so once: the
  next fsync succeeds, and what every reader sees is on no disk. So it is never tried again, and
  nothing goes on as if it had been: NotDurableError ends the agent, also where every other fault
  of a kind is told and passed over. The next one finds what is true, and goes on there.
* A disk too full for what stands under a temporary name is no such fault: that is thrown away.
* A filesystem that knows no fsync of directories gives EINVAL; then there is nothing to wait for.

Outside facts: fsync(2), and "Can Applications Recover from fsync Failures?" (USENIX ATC 2020).
"""

from __future__ import annotations

import errno
import os
from typing import Final

FULL: Final = (errno.ENOSPC, errno.EDQUOT)


class NotDurableError(Exception):
    """What was written may never reach the disk. The agent has to end."""


def sync(handle: int, what: object) -> None:
    """Have what a descriptor is of on its disk. NotDurableError."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise _lost(what, error) from error


def sync_new(handle: int, what: object) -> None:
    """The same of what nobody can see yet. OSError: its disk is full. NotDurableError."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno in FULL:
            raise
        if error.errno != errno.EINVAL:
            raise _lost(what, error) from error


def settle(handle: int, what: object) -> None:
    """Have on its disk what an agent that was killed may have left on its way. NotDurableError.

    On a filesystem that is read-only now, nothing is on its way.
    """
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EROFS):
            raise _lost(what, error) from error


def _lost(what: object, error: OSError) -> NotDurableError:
    return NotDurableError(
        f"cannot have {what} on its disk: {os.strerror(error.errno or 0).lower()}; what was "
        "written last may be lost; see in the kernel's log (dmesg) what is wrong with the disk"
    )
