"""FILE -> all that is wrong with it, or nothing. Nothing is written, and no name in it is used.

What belongs at each place follows from the manifest (layout.py), so headers are compared and not
followed. One that is another one is read only to say what stands there: then it goes on behind
it, so that one strange member hides no other fault.

* Memory: the manifest and a megabyte. Time: the file is read once, and MOST_TOLD faults end it.
* A bundle without faults is byte for byte the one that its signers signed, with their heads.
* Whether its signers are to be believed is asked elsewhere (signers.py).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from saltern_protocol.errors import printable

from saltern_master.bundle import layout
from saltern_master.bundle.head import MOST_HEAD, Signed, Statement, read_head
from saltern_master.bundle.layout import BLOCK, END, Member
from saltern_master.bundle.manifest import (
    MOST_TOLD,
    BundleError,
    Manifest,
    decode_manifest,
    one_form,
)

AT_ONCE: Final = 1024 * 1024
MOST_NAME: Final = 100

Progress = Callable[[int], None]
"""Told how many bytes more were done."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A bundle whose head and manifest were read. `faults`: what is wrong with those."""

    file: BinaryIO
    head: bytes
    signed: Signed
    manifest: Manifest
    faults: tuple[str, ...]
    begins: int  # where the first member after the manifest is
    size: int  # of the file, in bytes


@contextmanager
def opened(path: Path) -> Iterator[Opened]:
    """Open a bundle and read what it says of itself; BundleError where it says nothing.

    None of it is believed: not even a signature that is not good ends it here.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # waits for no pipe
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise BundleError(f"cannot read {path}: it is no regular file")
            yield _open(path, file, found.st_size)
    except BrokenPipeError:  # who read what is said of it has gone
        raise
    except OSError as error:
        other = f"{error.filename}: " if error.filename not in (None, str(path), path) else ""
        raise BundleError(f"cannot read {path}: {other}{error.strerror}") from error


def faults_of(bundle: Opened, progress: Progress) -> tuple[str, ...]:
    """Read all of a bundle; give what is wrong with it, at most MOST_TOLD."""
    bundle.file.seek(bundle.begins)
    walk = _Walk(bundle.file, bundle.size, layout.members(bundle.manifest), progress)
    found = (*bundle.faults, *islice(walk.faults(), MOST_TOLD + 1))
    if len(found) <= MOST_TOLD:
        return found
    return (*found[:MOST_TOLD], "and more: take another copy of it")


def pieces(bundle: Opened, wanted: Member, at: int, progress: Progress) -> Iterator[bytes]:
    """Give a content whose header is `at`; BundleError where it ends early."""
    bundle.file.seek(at + BLOCK)
    for piece in _content(bundle.file, wanted.size):
        progress(len(piece))
        yield piece


def _open(path: Path, file: BinaryIO, size: int) -> Opened:
    no_bundle = BundleError(
        f"cannot read {path}: it does not begin as a bundle does; give the file that saltern "
        "bundle create wrote"
    )
    begin = file.read(BLOCK)
    first = layout.read_header(begin)
    if first is None or first.name != layout.HEAD or not first.is_file or first.size > MOST_HEAD:
        raise no_bundle
    head = file.read(first.size)
    signed = read_head(head)
    faults = [*signed.faults]
    if begin != layout.header(layout.HEAD, first.size):
        faults.append("head: its header is not the one that belongs there")
    if any(file.read(layout.padding(first.size))):
        faults.append("head: what follows it is no zeros")
    statement = signed.statement
    if file.read(BLOCK) != layout.header(layout.MANIFEST, statement.size):
        faults.append("manifest.json: its header is not the one that belongs there")
    data = file.read(statement.size)
    if len(data) < statement.size:
        raise BundleError(
            f"cannot read {path}: it was cut short within its manifest", tuple(faults)
        )
    if hashlib.sha256(data).hexdigest() != statement.manifest:
        faults.append("manifest.json: it is not the one that was signed")
    if any(file.read(layout.padding(statement.size))):
        faults.append("manifest.json: what follows it is no zeros")
    try:
        manifest = decode_manifest(data)
    except BundleError as error:
        raise BundleError(f"cannot read {path}: {error}", tuple(faults)) from error
    faults += _told_otherwise(manifest, statement, data)
    return Opened(file, head, signed, manifest, tuple(faults), file.tell(), size)


def _told_otherwise(manifest: Manifest, statement: Statement, data: bytes) -> Iterator[str]:
    if one_form(manifest) != data:
        yield "manifest.json: it is not in the one form that it has"
    if manifest.cluster != statement.cluster:
        yield "manifest.json: it is of another cluster than what was signed"


class _Walk:
    """One way through the members of a file, beside those that belong there."""

    def __init__(
        self, file: BinaryIO, size: int, wanted: Sequence[Member], progress: Progress
    ) -> None:
        self._file, self._size, self._wanted, self._progress = file, size, wanted, progress
        self._place = {member.name: place for place, member in enumerate(wanted)}
        self._next = 0  # the member that belongs here
        self._lost = False  # nobody can tell where the next one begins

    def faults(self) -> Iterator[str]:
        """Give what is wrong, in the file's order."""
        while len(data := self._file.read(BLOCK)) == BLOCK and any(data):
            found = None if self._belongs(data) else layout.read_header(data)
            if found is None:
                yield from self._expected(data)
            else:
                yield from self._strange(found)
                yield from self._pass_over(found)
            if self._lost:
                return
        yield from self._missing(len(self._wanted))
        yield from self._ending(data)

    def _belongs(self, data: bytes) -> bool:
        if self._next == len(self._wanted):
            return False
        wanted = self._wanted[self._next]
        return data == layout.header(wanted.name, wanted.size)

    def _expected(self, data: bytes) -> Iterator[str]:
        """Compare what belongs here; a damaged header is taken for the one that belongs here."""
        if self._next == len(self._wanted):
            self._lost = True
            yield "something follows the last content that is no part of a bundle"
            return
        wanted, belongs = self._wanted[self._next], self._belongs(data)
        self._next += 1
        if not belongs:
            yield f"{wanted}: its header is damaged"
        yield from self._compare(wanted)

    def _strange(self, found: layout.Header) -> Iterator[str]:
        """Tell what another header is than the one that belongs here."""
        place = self._place.get(found.name)
        if place is None:
            what = "" if found.is_file else ", and no file"
            yield f"{_name(found)}: it does not belong into this bundle{what}"
            return
        if place < self._next:
            yield f"{_name(found)}: it stands twice, or out of its order"
            return
        yield from self._missing(place)
        wanted = self._wanted[place]
        self._next = place + 1
        if not found.is_file:
            yield f"{wanted}: it is no file"
        elif found.size != wanted.size:
            yield f"{wanted}: it has {found.size} bytes, the manifest says {wanted.size}"
        else:
            yield from self._differs(wanted)

    def _differs(self, wanted: Member) -> Iterator[str]:
        """Compare a member whose header is read already, and stay where that ends."""
        here = self._file.tell()
        self._file.seek(here - BLOCK)
        if self._file.read(BLOCK) != layout.header(wanted.name, wanted.size):
            yield f"{wanted}: its header is not the one that belongs there"
        yield from self._compare(wanted)
        self._file.seek(here)

    def _pass_over(self, found: layout.Header) -> Iterator[str]:
        """Go behind a member by its own size."""
        behind = self._file.tell() + found.size + layout.padding(found.size)
        if behind > self._size:
            self._lost = True
            yield f"{_name(found)}: it says it has {found.size} bytes, more than are left"
        else:
            self._file.seek(behind)

    def _compare(self, wanted: Member) -> Iterator[str]:
        """Read a content and what follows it, and tell how they differ."""
        hashed = hashlib.sha256()
        try:
            for piece in _content(self._file, wanted.size):
                hashed.update(piece)
                self._progress(len(piece))
        except BundleError:
            yield f"{wanted}: the file ends within it: it was cut short"
            return
        if hashed.hexdigest() != wanted.sha256:
            yield f"{wanted}: its SHA-256 is not the one in the manifest"
        if any(self._file.read(layout.padding(wanted.size))):
            yield f"{wanted}: what follows it is no zeros"

    def _missing(self, place: int) -> Iterator[str]:
        """Tell of all that belongs before a place and did not come."""
        for member in self._wanted[self._next : place]:
            yield f"{member}: it is missing"
        self._next = max(self._next, place)

    def _ending(self, data: bytes) -> Iterator[str]:
        """Tell how the file ends; `data`: the block at which the members ended."""
        rest = data + self._file.read(len(END) - len(data))
        if len(rest) < len(END):
            yield "the file does not end as a bundle does: it was cut short"
        elif rest != END or self._file.read(1):
            yield "something follows the end"


def _content(file: BinaryIO, size: int) -> Iterator[bytes]:
    left = size
    while left:
        piece = file.read(min(left, AT_ONCE))
        if not piece:
            raise BundleError("cannot read on: the file ends")
        left -= len(piece)
        yield piece


def _name(found: layout.Header) -> str:
    return repr(printable(found.name[:MOST_NAME]))
