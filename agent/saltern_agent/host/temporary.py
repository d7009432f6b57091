"""Temporary files and directories beside what they shall replace.

* A name is a dot, "saltern-" and 16 random hex digits: the kubelet passes over dot files.
* It is held under flock(2) while it is being made, so that a sweep tells what a dead
  process left behind from what a living one is at work on.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

TEMPORARY: Final = re.compile(r"\.saltern-[0-9a-f]{16}\Z")


def is_temporary(name: str) -> bool:
    """Say whether a name is one of ours."""
    return TEMPORARY.match(name) is not None


def new_name() -> str:
    """Give a name that nobody can guess."""
    return f".saltern-{secrets.token_hex(8)}"


@contextmanager
def new_file(directory: int) -> Iterator[tuple[str, int]]:
    """Hold a new, empty file of mode 0600, open for writing; it is gone after, unless renamed."""
    name = new_name()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    handle = os.open(name, flags, 0o600, dir_fd=directory)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield name, handle
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
        os.close(handle)


@contextmanager
def new_directory(directory: int) -> Iterator[tuple[str, int]]:
    """Hold a new, empty directory of mode 0700; whatever has its name after is removed."""
    name = new_name()
    os.mkdir(name, 0o700, dir_fd=directory)
    handle = os.open(
        name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory
    )
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield name, handle
    finally:
        remove_tree(directory, name)
        os.close(handle)


def remove_tree(directory: int, name: str) -> None:
    """Remove a directory with all that is in it, following nothing; it may be gone already."""
    with suppress(FileNotFoundError):
        shutil.rmtree(name, dir_fd=directory)


def sweep_directory(directory: int) -> tuple[str, ...]:
    """Remove the temporaries that no living process holds; give their names."""
    left = (name for name in os.listdir(directory) if is_temporary(name))
    return tuple(sorted(name for name in left if _sweep_one(directory, name)))


def _sweep_one(directory: int, name: str) -> bool:
    try:
        seen = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    except FileNotFoundError:
        return False  # its owner has just renamed it
    try:
        mode = os.fstat(seen).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or _is_held(seen):
            return False
    finally:
        os.close(seen)
    if stat.S_ISDIR(mode):
        remove_tree(directory, name)
    else:
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=directory)
    return True


def _is_held(seen: int) -> bool:
    reader = os.open(f"/proc/self/fd/{seen}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(reader, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(reader)
    return False
