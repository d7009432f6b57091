"""The file: a tar that any tar lists. Nothing of it is believed before all of it was compared.

    manifest.json        what follows, in this order
    home/NAME ...        the files
    end                  the SHA-256 of manifest.json: the file is whole

* Writing stops where a file is not what the manifest says of it.
* Reading takes each member in the manifest's order: another name, length, sort or hash is told,
  as is what lacks or comes after the end. All faults are told at once.
* No path is taken from the tar: names are the manifest's, which were checked.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol

from saltern_master.backup.manifest import (
    MOST_BYTES,
    BackupError,
    Manifest,
    Part,
    decode_manifest,
    encode_manifest,
)

MANIFEST: Final = "manifest.json"
BELOW: Final = "home/"
END: Final = "end"
AT_ONCE: Final = 1024 * 1024
MOST_TOLD: Final = 10

Progress = Callable[[int], None]
"""Told how many bytes more were done."""


class Sink(Protocol):
    """Takes the bytes of a part."""

    def write(self, data: bytes, /) -> object:
        """Take some."""
        ...


class Writer:
    """Writes one backup, part by part in the manifest's order."""

    def __init__(self, file: IO[bytes], manifest: Manifest, progress: Progress) -> None:
        self._tar = tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT)
        self._manifest, self._progress = manifest, progress
        data = encode_manifest(manifest)
        self._end = hashlib.sha256(data).hexdigest().encode() + b"\n"
        self._add(MANIFEST, len(data), 0o600, io.BytesIO(data))

    def add(self, part: Part, path: Path) -> None:
        """Add a file; BackupError where it is not what the manifest says."""
        with path.open("rb") as content:
            hashed = _Hashed(content, self._progress)
            try:
                self._add(BELOW + part.name, part.size, part.mode, hashed)
            except OSError as error:
                if "unexpected end" in str(error):
                    raise _moved(path) from error
                raise
        if hashed.hash.hexdigest() != part.sha256:
            raise _moved(path)

    def close(self) -> None:
        """Write the end."""
        self._add(END, len(self._end), 0o600, io.BytesIO(self._end))
        self._tar.close()

    def _add(self, name: str, size: int, mode: int, content: IO[bytes] | _Hashed) -> None:
        member = tarfile.TarInfo(name)
        member.size, member.mode, member.mtime = size, mode, int(self._manifest.taken)
        self._tar.addfile(member, content)  # type: ignore[arg-type]  # it reads, no more


class _Hashed:
    """A file that is hashed as it is read."""

    def __init__(self, content: IO[bytes], progress: Progress) -> None:
        self.hash = hashlib.sha256()
        self._content, self._progress = content, progress

    def read(self, size: int) -> bytes:
        data = self._content.read(size)
        self.hash.update(data)
        self._progress(len(data))
        return data


def _moved(path: Path) -> BackupError:
    return BackupError(
        f"cannot back up {path}: it changed meanwhile, or a blob is damaged (its name is its "
        "SHA-256); add again what it belongs to, or try again"
    )


def read_manifest(path: Path) -> Manifest:
    """Give what a backup says of itself; BackupError. The files are not looked at."""
    with _opened(path) as tar:
        return decode_manifest(_manifest_bytes(tar, path))


def read_parts(
    path: Path, into: Callable[[Part], Sink], progress: Progress
) -> tuple[Manifest, tuple[str, ...]]:
    """Read all of a backup into what `into` gives for each file; give what is wrong with it.

    BackupError: the manifest cannot be read, or the tar is broken off or damaged.
    """
    with _opened(path) as tar:
        data = _manifest_bytes(tar, path)
        manifest = decode_manifest(data)
        faults = list(_faults(tar, manifest, into, progress))
        if not faults:
            faults += _end_faults(tar, hashlib.sha256(data).hexdigest().encode() + b"\n")
    return manifest, tuple(faults)


def _faults(
    tar: tarfile.TarFile, manifest: Manifest, into: Callable[[Part], Sink], progress: Progress
) -> Iterator[str]:
    for part in manifest.parts:
        member = tar.next()
        if member is None or member.name != BELOW + part.name:
            found = "the file ends" if member is None else f"{member.name!r} stands"
            yield f"{part.name}: {found} in its place"
            return
        if not member.isreg() or member.size != part.size:
            yield f"{part.name}: it has {member.size} bytes, the manifest says {part.size}"
            continue
        if _copy(tar, member, into(part), progress) != part.sha256:
            yield f"{part.name}: its SHA-256 is not the one in the manifest"


def _end_faults(tar: tarfile.TarFile, wanted: bytes) -> Iterator[str]:
    member = tar.next()
    content = tar.extractfile(member) if member is not None and member.isreg() else None
    if member is None or member.name != END or content is None:
        yield "the file does not end as a backup does: it was cut short"
    elif content.read(len(wanted) + 1) != wanted:
        yield "manifest.json: its SHA-256 is not the one at the end"
    elif tar.next() is not None:
        yield "something follows the end"


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, to: Sink, progress: Progress) -> str:
    content = tar.extractfile(member)
    if content is None:
        return ""
    hashed = hashlib.sha256()
    while data := content.read(AT_ONCE):
        hashed.update(data)
        to.write(data)
        progress(len(data))
    return hashed.hexdigest()


def _manifest_bytes(tar: tarfile.TarFile, path: Path) -> bytes:
    member = tar.next()
    content = tar.extractfile(member) if member is not None and member.isreg() else None
    if member is None or member.name != MANIFEST or content is None or member.size > MOST_BYTES:
        raise BackupError(f"cannot read {path}: it is no backup that saltern made")
    return content.read()


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            yield tar
    except (tarfile.TarError, ValueError, OverflowError) as error:  # a size beyond all files
        raise BackupError(
            f"cannot read {path}: {error}; it is no backup, or it was cut short or damaged: take "
            "another copy of it"
        ) from error
