"""Which files of HOME go into a backup.

    run/        never: it is made at each start
    out/        never: what `saltern sign` wrote for nodes is in the store, or is signed again
    .NAME       never: locks, and what was being written
    blobs/      all of them, or only the bodies that nodes shall have, which nobody else has
    store.db    as a copy of one moment; -wal and -shm are in that
    all else    as it is, also what a later release or a person put there

What is neither a file nor a directory is refused by name: a backup without it would not be whole.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from saltern_master.backup.manifest import BackupError, Folder, LeftOut, Part

LEFT: Final = frozenset({"run", "out", "store.db", "store.db-wal", "store.db-shm"})
OFFLINE: Final = re.compile(r"keys/(root|policy)[^/]*\.key\Z")
BLOB: Final = re.compile(r"[0-9a-f]{64}\Z")
BLOBS: Final = "blobs"
AT_ONCE: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Contents:
    """Directories and files; blobs apart."""

    folders: tuple[Folder, ...]
    files: tuple[Part, ...]
    blobs: tuple[Part, ...]


def contents(home: Path, without: Collection[LeftOut]) -> Contents:
    """Look through HOME, and hash its files; blobs are named by their hashes. BackupError."""
    found = sorted(_below(home, home))
    strange = tuple(
        f"{name}: it is no regular file, nor a directory; move it away, or what it stands for here"
        for name, entry in found
        if not (stat.S_ISREG(entry.st_mode) or stat.S_ISDIR(entry.st_mode))
    )
    if strange:
        raise BackupError(f"cannot back up {home}:", strange)
    folders = tuple(
        Folder(name=name, mode=entry.st_mode & 0o777)
        for name, entry in found
        if stat.S_ISDIR(entry.st_mode)
    )
    files = [
        (name, entry)
        for name, entry in found
        if stat.S_ISREG(entry.st_mode) and not ("offline-keys" in without and OFFLINE.match(name))
    ]
    return _checked(
        Contents(
            folders=(Folder(name=".", mode=home.stat().st_mode & 0o777), *folders),
            files=tuple(_part(home, name, one) for name, one in files if not _is_blob(name)),
            blobs=tuple(_blob(name, one) for name, one in files if _is_blob(name)),
        )
    )


def without_library(blobs: Sequence[Part], bodies: Collection[str]) -> tuple[Part, ...]:
    """Give the bodies among blobs: what no command brings back."""
    return tuple(one for one in blobs if one.sha256 in bodies)


def _below(home: Path, directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(directory) as entries:
        listed = list(entries)
    for entry in listed:
        name = str(Path(entry.path).relative_to(home))
        if entry.name.startswith(".") or name in LEFT:
            continue
        try:
            found = entry.stat(follow_symlinks=False)
        except FileNotFoundError:  # replaced or taken away at this moment: it was no part of HOME
            continue
        yield name, found
        if stat.S_ISDIR(found.st_mode):
            yield from _below(home, Path(entry.path))


def _is_blob(name: str) -> bool:
    folder, _, file = name.partition("/")
    return folder == BLOBS and BLOB.match(file) is not None


def _blob(name: str, entry: os.stat_result) -> Part:
    sha256 = name.rpartition("/")[2]
    return Part(name=name, size=entry.st_size, sha256=sha256, mode=entry.st_mode & 0o777)


def _part(home: Path, name: str, entry: os.stat_result) -> Part:
    """Hash as many bytes as the file has now: a log may grow while it is read."""
    hashed, left = hashlib.sha256(), entry.st_size
    with (home / name).open("rb") as content:
        while left and (data := content.read(min(left, AT_ONCE))):
            hashed.update(data)
            left -= len(data)
    size = entry.st_size - left
    return Part(name=name, size=size, sha256=hashed.hexdigest(), mode=entry.st_mode & 0o777)


def _checked(found: Contents) -> Contents:
    """Refuse names that no manifest can have."""
    wrong = tuple(_misnamed((*found.folders, *found.files)))
    if wrong:
        raise BackupError("cannot back up files with such names; move them away:", wrong)
    return found


def _misnamed(named: Iterable[Folder | Part]) -> Iterator[str]:
    for one in named:
        try:
            msgspec.convert(msgspec.to_builtins(one), type(one))
        except msgspec.ValidationError:
            yield repr(one.name)
