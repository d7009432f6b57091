"""What the agent keeps for itself: read without waiting, and relied on only where it is ours alone.

* A name that is no regular file is refused before it is read: a pipe would hang the agent, a
  symlink would have it read what somebody else chose.
* refuse_shared() tells all that is wrong at once, before anything is read or made.
* What is missing is well: it is made with its mode.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from saltern_protocol.ownership import Found, Wanted, faults, way_faults

from saltern_agent.durable import sync

OWN: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_OWN: Final = 1 << 20


def read_own(path: Path) -> bytes:
    """Read a small file of the agent's own. OSError: it is none, or cannot be read."""
    try:
        handle = os.open(path, OWN)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise OSError(errno.ELOOP, "it is a symlink; put the file itself there") from error
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is no regular file; take it away")
        content = b""
        while chunk := os.read(handle, MAX_OWN + 1 - len(content)):
            content += chunk
    finally:
        os.close(handle)
    if len(content) > MAX_OWN:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_OWN} bytes; put it back as it was")
    return content


def sync_names(directory: Path) -> None:
    """Have the names in a directory on its disk: SQLite passes over an error there.

    OSError, NotDurableError.
    """
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(handle, directory)
    finally:
        os.close(handle)


def shared(wanted: Iterable[Wanted]) -> tuple[str, ...]:
    """Tell what is wrong with these, and with the directories on the way to them. OSError."""
    told: dict[str, None] = {}
    for one in wanted:
        # The directory itself may be another's name for it, a symlink that root made; no file may.
        found = _found(one.path, follow=one.directory)
        if found is None:
            continue
        told.update(dict.fromkeys(faults(one, found, os.geteuid())))
        if one.directory:
            told.update(dict.fromkeys(way_faults(_above(one.path))))
    return tuple(told)


def _above(path: str) -> Iterator[tuple[str, Found]]:
    for above in Path(os.path.realpath(path)).parents:
        found = _found(str(above), follow=True)
        if found is not None:
            yield str(above), found


def _found(path: str, follow: bool) -> Found | None:
    try:
        seen = os.stat(path, follow_symlinks=follow)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Found(seen.st_mode, seen.st_uid)
