"""HOME -> FILE, while the master runs.

    under HOME's lock: look at everything, copy the store -> write the small files
    without it:        write the store's copy and the blobs -> read all of it back, compare -> link

* It is what HOME was at one moment: whoever signs or makes keys waits for as long as the small
  files take; reports and applies go on, and come after that moment. A blob is never changed, and
  is there before the store names it.
* FILE is there whole or not at all, 0600, durable, and compared with its manifest. What was there
  is never overwritten. A kill leaves a directory that the next backup there sweeps.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, Final

from msgspec.structs import replace

from saltern_master.backup.archive import Writer, read_parts
from saltern_master.backup.contents import Contents, contents, without_library
from saltern_master.backup.manifest import (
    STORE,
    BackupError,
    LeftOut,
    Manifest,
    NodeRow,
    Part,
)
from saltern_master.backup.scratch import scratch
from saltern_master.library.blobs import hash_file
from saltern_master.records.codec import holds
from saltern_master.records.documents import Issued
from saltern_master.records.nodes import every_node
from saltern_master.records.revisions import newest_revision
from saltern_master.records.rollouts import needed_bodies
from saltern_master.signing.authority import newest_root
from saltern_master.signing.home import Home
from saltern_master.signing.key_file import sync_directory
from saltern_master.store import SqliteStore
from saltern_master.store.snapshot import snapshot

PREFIX: Final = ".saltern-backup"
DISTRIBUTION: Final = "saltern-master"

Progress = Callable[[int, int], None]
"""Told how many bytes were done, and of how many; each file is written once and read once."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The store's copy, and what it says."""

    part: Part
    form: int
    revision: int
    nodes: tuple[NodeRow, ...]
    bodies: frozenset[str]


class Count:
    """Adds up what was done."""

    def __init__(self, progress: Progress) -> None:
        self.whole = self._done = 0
        self._progress = progress

    def add(self, size: int) -> None:
        """So many bytes more."""
        self._done += size
        self._progress(self._done, self.whole)


def take(
    home: Home, file: Path, without: Collection[LeftOut], now: float, progress: Progress
) -> Manifest:
    """Make a backup. `now` in seconds since 1970. BackupError, HomeError, StoreError."""
    _refuse(home, file)
    try:
        with scratch(file.parent, PREFIX) as place:
            written = place / "file"
            manifest = _write(home, place, written, without, now, Count(progress))
            _put(written, file)
    except OSError as error:
        where = error.filename or file
        raise BackupError(f"cannot back up to {file}: {where}: {error.strerror}") from error
    return manifest


def _refuse(home: Home, file: Path) -> None:
    reasons = []
    if not home.is_made:
        reasons.append(f"{home.path} has no keys; give the master's directory with --home")
    if os.path.lexists(file):
        reasons.append(f"{file} is there already, and is not overwritten; take another name")
    if not file.parent.is_dir():
        reasons.append(f"{file.parent} is no directory; make it")
    elif file.parent.resolve().is_relative_to(home.path.resolve()):
        reasons.append(f"{file} lies in HOME, which it is a backup of; take another directory")
    if reasons:
        raise BackupError("cannot back up:", tuple(reasons))


def _write(
    home: Home, place: Path, written: Path, without: Collection[LeftOut], now: float, count: Count
) -> Manifest:
    with _made(written) as file:
        with home.locked():
            copied = _copy_store(home, place / STORE)
            found = contents(home.path, without)
            manifest = _manifest(home, found, copied, without, now)
            count.whole = 2 * manifest.size
            writer = Writer(file, manifest, count.add)
            for part in found.files:
                writer.add(part, home.path / part.name)
        for part in manifest.parts[len(found.files) :]:
            writer.add(part, place / STORE if part.name == STORE else home.path / part.name)
        writer.close()
    read, faults = read_parts(written, lambda _: _Nowhere(), count.add)
    if faults or read != manifest:
        raise BackupError(f"cannot back up to {written.parent}: what was written differs:", faults)
    return manifest


@contextmanager
def _made(path: Path) -> Iterator[IO[bytes]]:
    """Write a new file, 0600 and durable when this ends."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _put(written: Path, file: Path) -> None:
    """Give a file its name, unless that is taken: a link never overwrites."""
    try:
        os.link(written, file)
    except FileExistsError as error:
        raise BackupError(f"cannot back up to {file}: somebody made it meanwhile") from error
    written.unlink()
    sync_directory(file.parent)


def _copy_store(home: Home, target: Path) -> Copied:
    """Copy the store, and read what the manifest tells of it: in the copy, which nobody changes."""
    form = snapshot(home.store_file, target)
    size = target.stat().st_size
    part = Part(name=STORE, size=size, sha256=hash_file(target), mode=0o600)
    looked = Path(shutil.copyfile(target, target.with_name("looked")))  # opening it may change it
    store = SqliteStore(looked)
    try:
        rows = (NodeRow(name=n.name, state=n.state, version=n.version) for n in every_node(store))
        issued = holds(store, "documents/", Issued)
        bodies = frozenset(one.value.body for one in issued if one.value is not None)
        bodies |= needed_bodies(store)
        return Copied(part, form, newest_revision(store), tuple(rows), bodies)
    finally:
        store.close()


def _manifest(
    home: Home, found: Contents, copied: Copied, without: Collection[LeftOut], now: float
) -> Manifest:
    blobs = found.blobs
    if "blobs" in without:
        blobs = without_library(blobs, copied.bodies)
    kept = {one.sha256 for one in blobs}
    files = tuple(one for one in found.files if one.name != STORE)
    return Manifest(
        cluster=newest_root(home).cluster,
        taken=now,
        release=version(DISTRIBUTION),
        store_form=copied.form,
        revision=copied.revision,
        nodes=copied.nodes,
        left_out=tuple(sorted(without)),
        missing=tuple(sorted(one.sha256 for one in found.blobs if one.sha256 not in kept)),
        folders=found.folders,
        parts=(*files, copied.part, *(replace(one, mode=0o444 | one.mode) for one in blobs)),
    )


class _Nowhere:
    """Takes bytes that are only compared."""

    def write(self, data: bytes, /) -> object:
        """Take some."""
        return len(data)
