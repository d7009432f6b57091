"""Opening and renaming below a directory, with no symlink followed anywhere on the way.

openat2(2) does it in one call (Linux 5.6). Where the kernel, or a container's seccomp
filter, does not have it, every component is opened by itself with O_NOFOLLOW, which
keeps the same laws in more calls. `..` is refused before the kernel is asked: with
RESOLVE_BENEATH it may still go up and down again inside the root.

Numbers and structures: openat2(2), renameat2(2), include/uapi/linux/openat2.h. The two
system calls have no wrapper in Python 3.11.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

SYS_OPENAT2: Final = 437  # the same on every architecture: it is younger than their unification
RENAMEAT2_NUMBERS: Final = {"x86_64": 316, "aarch64": 276, "riscv64": 276, "ppc64le": 357}
RENAME_NOREPLACE: Final = 1
RENAME_EXCHANGE: Final = 2
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
STRICT: Final = RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH
TRIES: Final = 16  # EAGAIN: somebody renamed while the kernel walked


class OpenHow(ctypes.Structure):
    """struct open_how."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


OPENAT2_ARGUMENTS: Final = (
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(OpenHow),
    ctypes.c_size_t,
)
SIZE: Final = ctypes.sizeof(OpenHow)


class Root:
    """A directory below which everything is opened. It keeps a descriptor until close()."""

    def __init__(self, path: Path = Path("/"), *, openat2: bool = True) -> None:
        self.path = path
        self._fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        library = ctypes.CDLL(None, use_errno=True)
        self._syscall = library.syscall
        self._call_openat2 = library["syscall"]  # one of its own: the two take other arguments
        self._call_openat2.argtypes = OPENAT2_ARGUMENTS
        self._call_openat2.restype = ctypes.c_long
        self._openat2 = openat2 and self._has_openat2()

    def close(self) -> None:
        """Let the directory go."""
        os.close(self._fd)

    def open(self, path: Path, flags: int) -> int:
        """Open an absolute path (as the root's own "/") and give the descriptor.

        OSError: ELOOP where a symlink stands on the way or, without O_PATH, at the end.
        """
        name = _relative(path)
        flags |= os.O_CLOEXEC | os.O_NOFOLLOW
        return self._by_openat2(name, flags) if self._openat2 else self._by_steps(name, flags)

    @contextmanager
    def directory(self, path: Path) -> Iterator[int]:
        """Hold a directory open, for names in it and for fsync."""
        handle = self.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def parent(self, path: Path) -> Iterator[int]:
        """Hold open the directory that a path lies in; the path's own name is plain, too."""
        if _relative(path) == b".":
            raise OSError(errno.EINVAL, "the root itself", str(path))
        with self.directory(path.parent) as handle:
            yield handle

    def rename(self, directory: int, old: str, new: str, flags: int = 0) -> None:
        """Rename within one directory; RENAME_NOREPLACE or RENAME_EXCHANGE as the kernel has it."""
        number = RENAMEAT2_NUMBERS.get(platform.machine())
        if not flags or number is None:
            if flags:
                raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), new)
            os.rename(old, new, src_dir_fd=directory, dst_dir_fd=directory)
            return
        done = self._syscall(
            ctypes.c_long(number),
            ctypes.c_int(directory),
            ctypes.c_char_p(os.fsencode(old)),
            ctypes.c_int(directory),
            ctypes.c_char_p(os.fsencode(new)),
            ctypes.c_uint(flags),
        )
        if done < 0:
            raise _last_error(new)

    def _by_openat2(self, name: bytes, flags: int) -> int:
        how = OpenHow(flags=flags, mode=0, resolve=STRICT)
        for _ in range(TRIES):
            handle: int = self._call_openat2(SYS_OPENAT2, self._fd, name, how, SIZE)
            if handle >= 0:
                return handle
            if ctypes.get_errno() != errno.EAGAIN:
                break
        raise _last_error(os.fsdecode(name))

    def _by_steps(self, name: bytes, flags: int) -> int:
        *above, last = name.split(b"/")
        at = os.dup(self._fd)
        try:
            for part in above:
                step = os.open(part, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
                os.close(at)
                at = step
                _refuse_symlink(at, name)
            return _open_last(at, last, flags)
        finally:
            os.close(at)

    def _has_openat2(self) -> bool:
        try:
            os.close(self._by_openat2(b".", os.O_PATH | os.O_CLOEXEC))
        except OSError as error:
            if error.errno in (errno.ENOSYS, errno.EPERM):  # EPERM: an old seccomp filter
                return False
            raise
        return True


def _open_last(directory: int, name: bytes, flags: int) -> int:
    # O_DIRECTORY says ENOTDIR of a symlink; looking first makes both ways say ELOOP
    seen = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not flags & os.O_PATH or flags & os.O_DIRECTORY:
            _refuse_symlink(seen, name)
    finally:
        os.close(seen)
    return os.open(name, flags, dir_fd=directory)


def _refuse_symlink(handle: int, name: bytes) -> None:
    if stat.S_ISLNK(os.fstat(handle).st_mode):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fsdecode(name))


def _relative(path: Path) -> bytes:
    try:
        name = os.fsencode(path)
    except UnicodeEncodeError as error:
        raise OSError(errno.EINVAL, "no name in UTF-8", ascii(path)) from error
    parts = name.split(b"/")
    if not name.startswith(b"/") or b".." in parts or b"\0" in name:
        raise OSError(errno.EINVAL, "no plain absolute path", str(path))
    return name.strip(b"/") or b"."


def _last_error(name: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number), name)
