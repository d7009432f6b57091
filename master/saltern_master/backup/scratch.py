"""A directory to work in beside what is to be made: taken away at the end, swept after a kill.

* It is 0700, and whoever works in it holds a lock on it.
* Who makes another one sweeps those of the same prefix that nobody holds: their maker was killed.
* It is on the file system of what is to be made, so that a rename or a link puts that in place.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch(parent: Path, prefix: str) -> Iterator[Path]:
    """Give a new directory PREFIX-RANDOM in `parent`. OSError."""
    _sweep(parent, prefix)
    path = parent / f"{prefix}-{secrets.token_hex(8)}"
    path.mkdir(mode=0o700)
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def _sweep(parent: Path, prefix: str) -> None:
    for path in parent.glob(f"{prefix}-*"):
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:  # gone meanwhile, or none of ours
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)
