"""Blobs on a disk: contents in files that are named by their SHA-256.

* A blob is here when a file of its name, in one of the directories, has its content. It
  is hashed once, and again when the kernel says that the file changed (hashes.py).
  What is larger than that hashes (MAX_HASHED) is none, and none such is kept.
* Only the own directory is written to. The others (an image's, a package's) are read.

Layout: <directory>/<sha256>, nothing else; beside them our temporary names.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from hashlib import sha256
from pathlib import Path
from typing import Final

from saltern_states.ports import HostError

from saltern_agent.durable import sync, sync_new
from saltern_agent.host.hashes import MAX_HASHED, Hashes
from saltern_agent.host.reasons import reason, telling
from saltern_agent.host.temporary import new_file, sweep_directory

RESERVE: Final = 256 << 20  # bytes that blobs leave free: logs and journals need them
NAME: Final = re.compile(r"[0-9a-f]{64}\Z")


class DiskBlobs:
    """Blobs in an own directory, which is made when missing, and in some that are only read."""

    def __init__(self, own: Path, *others: Path, hashes: Hashes | None = None) -> None:
        self._own = own
        self._directories = (own, *others)
        self._hashes = hashes or Hashes()

    def has(self, blob: str) -> bool:
        """Say whether it is here, whole."""
        return self._find(blob) is not None

    def path(self, blob: str) -> Path:
        """Give where it lies."""
        found = self._find(blob)
        if found is None:
            raise HostError(f"cannot find blob {blob}: it is not on this node; fetch it first")
        return found

    def add(self, blob: str, chunks: Iterable[bytes]) -> None:
        """Keep a content that came in pieces. HostError, and nothing kept: it is not `blob`."""
        writer = self.begin(blob)
        try:
            for chunk in chunks:
                writer.write(chunk)
            writer.finish()
        finally:
            writer.drop()

    def begin(self, blob: str) -> BlobWriter:
        """Begin to keep a content whose pieces come one by one; the caller must end it."""
        _check_name(blob)
        with telling("keep blob", blob):
            self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
            return BlobWriter(self._own, blob)

    def room(self, size: int) -> None:
        """Raise HostError where so many bytes do not fit, or would leave the node hardly any."""
        with telling("look at", self._own):
            self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = os.statvfs(self._own)
        free = found.f_bavail * found.f_frsize
        if size > MAX_HASHED:
            raise HostError(f"cannot keep a blob of {size} bytes: {MAX_HASHED} are the most")
        if free - size < RESERVE:
            raise HostError(
                f"cannot keep {size} bytes more in {self._own}: {free} bytes are free, and "
                f"{RESERVE} of them are left alone; make room"
            )

    def names(self) -> tuple[str, ...]:
        """Give the blobs that the own directory holds, sorted, whole or not."""
        with telling("list", self._own), suppress(FileNotFoundError):
            return tuple(sorted(name for name in os.listdir(self._own) if NAME.match(name)))
        return ()

    def keep_only(self, blobs: frozenset[str], before: float) -> None:
        """Drop all others of the own directory that came before a time."""
        for blob in self.names():
            if blob not in blobs:
                with telling("look at blob", blob), suppress(FileNotFoundError):
                    if os.stat(self._own / blob).st_mtime < before:
                        self.drop(blob)

    def drop(self, blob: str) -> None:
        """Forget a blob of the own directory; it need not be there."""
        _check_name(blob)
        with telling("drop blob", blob), suppress(FileNotFoundError):
            (self._own / blob).unlink()

    def sweep(self) -> tuple[str, ...]:
        """Remove what processes that died left half-made in the own directory."""
        with telling("sweep", self._own), suppress(FileNotFoundError):
            directory = os.open(self._own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                return sweep_directory(directory)
            finally:
                os.close(directory)
        return ()

    def _find(self, blob: str) -> Path | None:
        _check_name(blob)
        for directory in self._directories:
            path = directory / blob
            if self._is_whole(path, blob):
                return path
        return None

    def _is_whole(self, path: Path, blob: str) -> bool:
        try:
            seen = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        except OSError as error:
            raise HostError(f"cannot look at blob {path}: {reason(error)}") from error
        try:
            found = os.fstat(seen)
            return stat.S_ISREG(found.st_mode) and self._hashes.of(seen, found, path) == blob
        finally:
            os.close(seen)


class BlobWriter:
    """A blob that comes in pieces: a file of our temporary names until it is whole.

    It holds the file open, so what has come stays as long as the process, and a sweep passes
    over it. Every method: HostError.
    """

    def __init__(self, own: Path, blob: str) -> None:
        self.blob, self.size = blob, 0
        self._digest = sha256()
        with ExitStack() as stack:
            directory = os.open(own, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, directory)
            self._name, self._handle = stack.enter_context(new_file(directory))
            self._directory = directory
            self._open = stack.pop_all()

    def write(self, data: bytes) -> None:
        """Add what came next."""
        self.size += len(data)
        if self.size > MAX_HASHED:
            raise HostError(f"cannot keep blob {self.blob}: it is larger than {MAX_HASHED} bytes")
        self._digest.update(data)
        with telling("keep blob", self.blob):
            left = memoryview(data)
            while left:
                left = left[os.write(self._handle, left) :]

    def finish(self) -> None:
        """Put it in its place, durably, if it is what it should be; nothing is kept otherwise."""
        found = self._digest.hexdigest()
        try:
            if found != self.blob:
                raise HostError(f"cannot keep blob {self.blob}: what came is {found}")
            with telling("keep blob", self.blob):
                os.fchmod(self._handle, 0o400)  # secrets are blobs too
                sync_new(self._handle, f"blob {self.blob}")
                at = self._directory
                os.rename(self._name, self.blob, src_dir_fd=at, dst_dir_fd=at)
                sync(at, "the directory of blobs")
        finally:
            self.drop()

    def drop(self) -> None:
        """Let go of it: what is not in its place by now is removed."""
        self._open.close()


def _check_name(blob: str) -> None:
    if not NAME.match(blob):
        raise HostError(f"cannot name a blob {blob!r}: 64 hex digits are wanted")
