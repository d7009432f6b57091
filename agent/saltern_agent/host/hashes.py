"""SHA-256 of file contents, computed once for as long as the kernel says nothing changed.

A file is known again by (device, inode, size, mtime, ctime). That is believed only where its
ctime had settled when it was read: two writes in one tick of the kernel's clock, 10 ms at most,
carry the same ctime; so do two in two seconds on a filesystem that keeps no fractions, of which
each ctime is a round number. So a younger file is hashed each time.

Who owns a declared file must not be able to hold us up with it: it is opened without waiting
for a lease (fcntl(2), F_SETLEASE) to be given back, and what is larger than MAX_HASHED is not
read. `truncate -s 2T` costs nobody anything but whoever reads it.

Cache: in memory, at most MAX_KNOWN files, dropped whole when full; of large files also where
kept_hashes.py keeps them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import sha256
from typing import Final

from saltern_states.ports import HostError

from saltern_agent.host.kept_hashes import WORTH_BYTES, KeptHashes, Stamp
from saltern_agent.host.reasons import telling

CLOCK_REALTIME_COARSE: Final = 5  # linux/time.h
COARSE_NS: Final = 2_000_000_000
FINE_NS: Final = 50_000_000
ROUND_NS: Final = 10_000_000
"""What a ctime is a multiple of, where the filesystem may keep no more of it than that."""
MAX_KNOWN: Final = 8192
CHUNK: Final = 1 << 16
"""Bytes read at once. The agent's unit has the C library map what is larger than 128 KiB anew each
time: zeroing those pages took as long as two thirds of the hashing itself."""
TRIES: Final = 3
MAX_HASHED: Final = 2 << 30  # bytes; no artifact comes near it


def kernel_now() -> int:
    """Give the clock that ctimes are taken from, in nanoseconds since 1970."""
    return time.clock_gettime_ns(CLOCK_REALTIME_COARSE)


class Hashes:
    """Hashes of the files that were read, by what the kernel says of them."""

    def __init__(self, now: Callable[[], int] = kernel_now, kept: KeptHashes | None = None) -> None:
        self._now = now
        self._kept = kept
        self._known: dict[Stamp, str] = kept.read() if kept else {}

    def known(self, found: os.stat_result) -> str | None:
        """Give the hash of a file that was hashed before and has not changed since."""
        return self._known.get(stamp(found))

    def of(self, handle: int, found: os.stat_result, name: object) -> str:
        """Give the hash of an open regular file (O_PATH will do), of which fstat said `found`.

        "", which is no content's hash: it is larger than MAX_HASHED. HostError: it is written
        to faster than it can be read, or somebody holds a lease on it.
        """
        if found.st_size > MAX_HASHED:
            return ""
        known = self._known.get(stamp(found))
        if known is not None:
            return known
        with telling("read", name):
            reader = reopen(handle)
            try:
                return self._read(reader, found, name)
            finally:
                os.close(reader)

    def _read(self, reader: int, found: os.stat_result, name: object) -> str:
        before = found
        for _ in range(TRIES):
            began = self._now()
            digest = _digest(reader)
            after = os.fstat(reader)
            if after.st_size > MAX_HASHED:
                return ""
            if stamp(after) == stamp(before):
                if after.st_ctime_ns + settles_in(after.st_ctime_ns) < began:
                    self._remember(after, digest)
                return digest
            before = after
        raise HostError(f"cannot read {name}: it changes while it is read; see who writes it")

    def _remember(self, found: os.stat_result, digest: str) -> None:
        if len(self._known) >= MAX_KNOWN:
            self._known.clear()
        self._known[stamp(found)] = digest
        if self._kept is not None and found.st_size >= WORTH_BYTES:
            self._kept.write(self._known)


def reopen(handle: int) -> int:
    """Open for reading what an O_PATH descriptor is of. EAGAIN: somebody holds a lease on it."""
    return os.open(f"/proc/self/fd/{handle}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)


def settles_in(ctime_ns: int) -> int:
    """Give the nanoseconds after which no other write can carry this ctime any more."""
    return COARSE_NS if ctime_ns % ROUND_NS == 0 else FINE_NS


def stamp(found: os.stat_result) -> Stamp:
    """Give what tells a file's content apart without reading it."""
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _digest(reader: int) -> str:
    digest = sha256()
    offset = 0
    while offset <= MAX_HASHED and (chunk := os.pread(reader, CHUNK, offset)):
        digest.update(chunk)
        offset += len(chunk)
    return digest.hexdigest()
