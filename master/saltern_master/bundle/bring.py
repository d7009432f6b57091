"""FILE -> library: all of it, or nothing that anybody sees.

    read and compare all of FILE -> look whether there is room -> bring the contents that lack
    -> name all of them in the index, at once

* A content that is here and whole is not brought again, so whoever was stopped goes on; one that
  is damaged is mended.
* Contents are hashed again as they are stored: a file that changes meanwhile brings nothing false.
* The index changes once, at the end. Contents that nothing names yet are in nobody's way.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from saltern_master.bundle.create import new_file, refuse_little_room
from saltern_master.bundle.layout import CLUSTER, Member, members
from saltern_master.bundle.manifest import BundleError, Entry, Manifest, entries
from saltern_master.bundle.reading import AT_ONCE, Opened, Progress, faults_of, pieces
from saltern_master.library import Library
from saltern_master.library.blobs import hash_file
from saltern_master.library.values import Index

SPARE: Final = 64 * 1024 * 1024
"""Bytes that are left to the master's own store, which is on the same file system."""

Came = Literal["new", "replaced", "mended", "here"]


class Row(Struct, frozen=True, kw_only=True):
    """One thing of a bundle, and what it is to the library. `size` in bytes."""

    kind: str
    name: str
    came: Came
    size: int


@dataclass(frozen=True, slots=True)
class Place:
    """A content, and where in the file its header is."""

    member: Member
    at: int


def refuse_faults(bundle: Opened, progress: Progress) -> None:
    """Read all of a bundle; BundleError tells all that is wrong with it."""
    faults = faults_of(bundle, progress)
    if faults:
        raise BundleError("cannot take this bundle; nothing of it was taken in:", faults)


def bring(bundle: Opened, library: Library, progress: Progress) -> tuple[Row, ...]:
    """Take in a bundle whose signers are believed; say what of it is new. BundleError, BlobError.

    `progress` is told of each content twice: as it is compared, and as it is brought or found.
    """
    refuse_faults(bundle, progress)
    library.home.mkdir(parents=True, exist_ok=True)
    lacking = tuple(_lacking(bundle, library, progress))
    refuse_little_room(library.home, sum(one.member.room for one in lacking) + SPARE)
    for place in lacking:
        content = pieces(bundle, place.member, place.at, progress)
        library.add_pieces(content, expect=place.member.sha256)
    before = library.merge(bundle.manifest.stock)
    return tuple(_rows(bundle.manifest, before, {one.member.sha256 for one in lacking}))


def cluster_file(bundle: Opened) -> bytes:
    """Give the cluster file that a bundle was made for. BundleError: the file changed meanwhile."""
    first = members(bundle.manifest)[0]
    content = b"".join(pieces(bundle, first, bundle.begins, lambda _: None))
    if hashlib.sha256(content).hexdigest() != first.sha256:
        raise BundleError(f"cannot take the cluster file out of {bundle.file.name}: it changed")
    return content


def save(bundle: Opened, library: Library, directory: Path) -> Iterator[Path]:
    """Write the cluster file and the packages of a bundle that was taken in; give each new file.

    Each is there whole or not at all. BundleError.
    """
    path = directory / f"{bundle.manifest.cluster}.yaml"
    content = cluster_file(bundle)
    with new_file(path, len(content)) as out:
        out.write(content)
    yield path
    for name, sha256 in sorted(bundle.manifest.packages.items()):
        stored, path = library.path(sha256), directory / name
        with stored.open("rb") as package, new_file(path, stored.stat().st_size) as out:
            shutil.copyfileobj(package, out, AT_ONCE)
        yield path


def _places(bundle: Opened) -> Iterator[Place]:
    at = bundle.begins
    for member in members(bundle.manifest):
        if member.name != CLUSTER:
            yield Place(member, at)
        at += member.room


def _lacking(bundle: Opened, library: Library, progress: Progress) -> Iterator[Place]:
    """Give the contents that are not here, or damaged."""
    for place in _places(bundle):
        member = place.member
        if not _is_whole(library, member):
            yield place
        else:
            progress(member.size)


def _is_whole(library: Library, member: Member) -> bool:
    if not library.has(member.sha256):
        return False
    path = library.path(member.sha256)
    return path.stat().st_size == member.size and hash_file(path) == member.sha256


def _rows(manifest: Manifest, before: Index, brought: Collection[str]) -> Iterator[Row]:
    known = {(one.kind, one.name): one for one in entries(before)}
    for entry in entries(manifest.stock):
        size = sum(size for _, size in entry.contents)
        came = _came(known.get((entry.kind, entry.name)), entry, brought)
        yield Row(kind=entry.kind, name=entry.name, came=came, size=size)
    sizes = {part.sha256: part.size for part in manifest.parts}
    for sha256 in manifest.own:
        came = "new" if sha256 in brought else "here"
        yield Row(kind="content", name=sha256, came=came, size=sizes[sha256])
    for agent in manifest.agents:
        came = "new" if agent.sha256 in brought else "here"
        yield Row(kind="package", name=agent.name, came=came, size=agent.size)


def _came(was: Entry | None, now: Entry, brought: Collection[str]) -> Came:
    if was is None:
        return "new"
    if was != now:
        return "replaced"
    return "mended" if any(sha256 in brought for sha256, _ in now.contents) else "here"
