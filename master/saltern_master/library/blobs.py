"""Content named by its SHA-256, in one directory.

    HOME/blobs/                 0711: whoever serves them opens them by name, and lists nothing
    HOME/blobs/SHA256           anybody reads it, nobody writes it; its content hashes to its name
    HOME/blobs/.adding-RANDOM   being added; left over only by a crash
    HOME/blobs/.lock            shared by those who add, exclusive for the sweep

Laws:
* a name appears by rename, after its bytes are hashed and on disk: never half a blob;
* what is hashed is what was stored, not what it was made from;
* adding what is there renames over it, so adding heals a damaged blob;
* left-overs are swept by whoever adds next while nobody else adds;
* a blob is never removed: an older document may still name it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from saltern_master.errors import MasterError

FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file, where the file system can
TEMPORARY = ".adding-"
MODE = 0o711


class BlobError(MasterError):
    """A blob cannot be added, or is not what it should be."""


def hash_file(path: Path) -> str:
    """Give the SHA-256 of a file's content."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def blob_path(directory: Path, sha256: str) -> Path:
    """Where a blob of this hash lives; BlobError when it is no hash."""
    if not re.match(r"[0-9a-f]{64}\Z", sha256):
        raise BlobError(f"cannot name a blob {sha256!r}: not 64 hexadecimal digits")
    return directory / sha256


def add_copy(directory: Path, source: Path, expect: str | None = None) -> str:
    """Add a file's content, sharing its blocks where the file system can; give the hash."""
    with _adding(directory, source) as temporary:
        _clone_or_copy(source, temporary)
        return _finish(directory, source, temporary, expect)


def add_link(directory: Path, source: Path, expect: str | None = None) -> str:
    """Add a file that nobody writes to again: by hard link where possible, else as a copy.

    Anybody may read it then and nobody write it, under all its names.
    """
    with _adding(directory, source) as temporary:
        try:
            temporary.hardlink_to(source.resolve(strict=True))
        except OSError:  # another file system, or hard links are protected
            _clone_or_copy(source, temporary)
        return _finish(directory, source, temporary, expect)


def add_bytes(directory: Path, data: bytes) -> str:
    """Add what is in memory; give the hash."""
    sha256 = hashlib.sha256(data).hexdigest()
    with _adding(directory, f"{len(data)} bytes") as temporary:
        with temporary.open("xb") as writer:
            writer.write(data)
        return _finish(directory, sha256, temporary, sha256)


def add_pieces(directory: Path, pieces: Iterable[bytes], expect: str) -> str:
    """Add a content that comes in pieces; give the hash. What breaks off leaves nothing."""
    with _adding(directory, expect) as temporary:
        with temporary.open("xb") as writer:
            for piece in pieces:
                writer.write(piece)
        return _finish(directory, expect, temporary, expect)


def add_all(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Add what is in memory, each under its hash; all of it is on the disk when this returns.

    All are written before the first is synced, so a file system that keeps a journal syncs most of
    them with the first, and the directory once: hundreds take little longer than one.
    """
    with _adding(directory, f"{len(contents)} blobs") as temporary:
        parts = {name: Path(f"{temporary}-{at}") for at, name in enumerate(contents)}
        try:
            for name, part in parts.items():
                with part.open("xb") as writer:
                    writer.write(contents[name])
            for name, part in parts.items():
                _put(directory, name, part, name)
            _sync(directory)
        finally:
            for part in parts.values():
                part.unlink(missing_ok=True)


@contextmanager
def _adding(directory: Path, source: Path | str) -> Iterator[Path]:
    """Give a temporary name; sweep what others left, unless others add at this moment."""
    temporary = directory / f"{TEMPORARY}{secrets.token_hex(8)}"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(MODE)
        lock = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise BlobError(f"cannot add {source} to {directory}: {error.strerror}") from error
    try:
        _sweep(directory, lock)
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield temporary
    except OSError as error:
        raise BlobError(f"cannot add {source} to {directory}: {error.strerror}") from error
    finally:
        # rename() leaves both names where they are links to one file, so this is also for success
        temporary.unlink(missing_ok=True)
        os.close(lock)


def _sweep(directory: Path, lock: int) -> None:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left_over in directory.glob(f"{TEMPORARY}*"):
            left_over.unlink(missing_ok=True)


def _clone_or_copy(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), FICLONE, reader.fileno())
        except OSError:  # the file system cannot share blocks, or they are two file systems
            shutil.copyfileobj(reader, writer, 1024 * 1024)
    target.chmod(0o644)


def _finish(directory: Path, source: Path | str, temporary: Path, expect: str | None) -> str:
    found = _put(directory, source, temporary, expect)
    _sync(directory)
    return found


def _put(directory: Path, source: Path | str, temporary: Path, expect: str | None) -> str:
    """Give it its name, once it is on the disk; the name is durable with the directory."""
    found = hash_file(temporary)
    if expect is not None and found != expect:
        raise BlobError(
            f"cannot add {source}: its SHA-256 is {found}, expected {expect}; fetch it again"
        )
    temporary.chmod(temporary.stat().st_mode & 0o111 | 0o444)
    _sync(temporary)
    temporary.rename(blob_path(directory, found))
    return found


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
