"""Temporary files and directories beside what they shall replace.

* A name is a dot, "saltern-" and 16 random hex digits: the kubelet passes over dot files.
* It is held under flock(2) while it is being made, so that a sweep tells what a dead
  process left behind from what a living one is at work on.
* Who may write where ours lie may put there what looks like ours: as deep as he likes, or with a
  lease that nobody is to break. A sweep takes away what it can, and neither fails nor waits.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
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
    """Remove a directory with all that is in it, following nothing; it may be gone already.

    However deep it is: what lies below is brought to its top first, one directory after the other.
    """
    with suppress(FileNotFoundError):
        top = os.open(name, DIRECTORY, dir_fd=directory)
        try:
            waiting = _empty(top, top)
            while waiting:
                one = waiting.pop()
                handle = os.open(one, DIRECTORY, dir_fd=top)
                try:
                    waiting += _empty(handle, top)
                finally:
                    os.close(handle)
                os.rmdir(one, dir_fd=top)
        finally:
            os.close(top)
        os.rmdir(name, dir_fd=directory)


def _empty(handle: int, top: int) -> list[str]:
    """Unlink what is in a directory, and bring its directories to `top`; give their names there.

    It is taken from its owner before, so nobody else puts anything into it from then on.
    """
    os.fchown(handle, os.geteuid(), -1)
    os.fchmod(handle, 0o700)
    brought = []
    for name in os.listdir(handle):
        if not stat.S_ISDIR(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=handle)
            continue
        new = name if handle == top else new_name()
        if handle != top:
            os.rename(name, new, src_dir_fd=handle, dst_dir_fd=top)
        brought.append(new)
    return brought


def sweep_directory(directory: int) -> tuple[str, ...]:
    """Remove the temporaries that no living process holds, as far as it can; give their names."""
    left = (name for name in os.listdir(directory) if is_temporary(name))
    return tuple(sorted(name for name in left if _sweep_one(directory, name)))


def _sweep_one(directory: int, name: str) -> bool:
    with suppress(OSError):  # its owner has just renamed it; or somebody keeps it from us
        seen = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            mode = os.fstat(seen).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or _is_held(seen):
                return False
        finally:
            os.close(seen)
        if stat.S_ISDIR(mode):
            remove_tree(directory, name)
        else:
            os.unlink(name, dir_fd=directory)
        return True
    return False


def _is_held(seen: int) -> bool:
    """Say whether a living process is at work on it, or has a lease on it."""
    try:
        reader = os.open(f"/proc/self/fd/{seen}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except BlockingIOError:
        return True
    try:
        fcntl.flock(reader, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(reader)
    return False
