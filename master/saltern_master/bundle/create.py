"""Library -> FILE, and FILE with another signature.

* All that lacks, or has not its size, is told before anything is written.
* Contents are hashed as they are copied, a megabyte at a time: one that is damaged stops it.
* FILE is there whole or not at all, 0600, durable; what was there is never overwritten. A kill
  leaves a directory that the next one there sweeps.
* Equal contents and keys give equal bytes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from saltern_protocol.keys import PrivateKey

from saltern_master.backup.scratch import scratch
from saltern_master.bundle import layout
from saltern_master.bundle.head import Statement, add_signature, sign_statement
from saltern_master.bundle.layout import BLOCK, END, Member, members
from saltern_master.bundle.manifest import (
    PACKAGE_FILE,
    Agent,
    BundleError,
    Manifest,
    Part,
    encode_manifest,
    entries,
)
from saltern_master.bundle.needs import Contents
from saltern_master.bundle.reading import AT_ONCE, Opened, Progress
from saltern_master.library import Library
from saltern_master.library.blobs import hash_file
from saltern_master.signing.key_file import sync_directory

PREFIX: Final = ".saltern-bundle"
NO_LINKS: Final = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})
"""What link(2) says where a file system has no hard links, as FAT has none."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A bundle that can be written: its manifest, and where each content is."""

    manifest: Manifest
    cluster_file: bytes
    paths: dict[str, Path]  # by SHA-256


def plan(
    cluster: str, file: bytes, contents: Contents, agents: Sequence[Path], library: Library
) -> Planned:
    """Look at all contents; BundleError tells of every one that is not as its entry says."""
    _refuse_agents(agents)
    carried = tuple(sorted((_agent(path) for path in agents), key=lambda one: one.name))
    paths = {one.sha256: path for path in agents for one in carried if one.name == path.name}
    sizes = {one: size for entry in entries(contents.stock) for one, size in entry.contents}
    paths |= {sha256: library.path(sha256) for sha256 in (*contents.own, *sizes)}
    parts = tuple(Part(sha256=one, size=paths[one].stat().st_size) for one in sorted(paths))
    found = {part.sha256: part.size for part in parts}
    reasons = tuple(
        f"{entry}: its content {sha256} has {found[sha256]} bytes and its entry says {size}; add "
        "it to the library again"
        for entry in entries(contents.stock)
        for sha256, size in entry.contents
        if found[sha256] != size
    )
    if reasons:
        raise BundleError("cannot make a bundle:", reasons)
    manifest = Manifest(
        cluster=cluster,
        cluster_file=Part(sha256=hashlib.sha256(file).hexdigest(), size=len(file)),
        stock=contents.stock,
        own=contents.own,
        agents=carried,
        parts=parts,
    )
    return Planned(manifest, file, paths)


def create(planned: Planned, keys: Iterable[PrivateKey], file: Path, progress: Progress) -> None:
    """Write a bundle, signed by these keys. BundleError."""
    data = encode_manifest(planned.manifest)
    digest = hashlib.sha256(data).hexdigest()
    statement = Statement(cluster=planned.manifest.cluster, manifest=digest, size=len(data))
    head = sign_statement(statement, keys)
    whole = layout.file_size(len(head), len(data), planned.manifest)
    with new_file(file, whole) as out:
        _write(out, layout.HEAD, [head], len(head))
        _write(out, layout.MANIFEST, [data], len(data))
        for member in members(planned.manifest):
            if member.name == layout.CLUSTER:
                _write(out, member.name, [planned.cluster_file], member.size)
            else:
                path = planned.paths[member.sha256]
                _write(out, member.name, _hashed(path, member, progress), member.size)
        out.write(END)


def add_key(bundle: Opened, file: Path, key: PrivateKey) -> None:
    """Put one more signature into a bundle that was found good, in its place. BundleError."""
    head = add_signature(bundle.head, key)
    with _in_place(file, bundle.size + BLOCK) as out:
        _write(out, layout.HEAD, [head], len(head))
        for piece in _behind_head(bundle):
            out.write(piece)


def _refuse_agents(agents: Sequence[Path]) -> None:
    """Raise BundleError for files that are no packages of ours, or have one name: all of them."""
    pattern = re.compile(PACKAGE_FILE)
    names = [path.name for path in agents]
    reasons = [f"{path}: there is no such file" for path in agents if not path.is_file()]
    reasons += [
        f"{path}: it has no name of a package of Saltern's, such as saltern-agent_0.1.0-1_amd64.deb"
        for path in agents
        if not pattern.match(path.name)
    ]
    reasons += [f"{name}: it is given twice" for name in sorted({*names}) if names.count(name) > 1]
    if reasons:
        raise BundleError("cannot take these packages along:", tuple(reasons))


def _agent(path: Path) -> Agent:
    return Agent(name=path.name, sha256=hash_file(path), size=path.stat().st_size)


def _write(out: BinaryIO, name: str, content: Iterable[bytes], size: int) -> None:
    out.write(layout.header(name, size))
    for piece in content:
        out.write(piece)
    out.write(bytes(layout.padding(size)))


def _hashed(path: Path, member: Member, progress: Progress) -> Iterator[bytes]:
    hashed, left = hashlib.sha256(), member.size
    with path.open("rb") as content:
        while left and (piece := content.read(min(left, AT_ONCE))):
            hashed.update(piece)
            left -= len(piece)
            progress(len(piece))
            yield piece
    if left or hashed.hexdigest() != member.sha256:
        raise BundleError(
            f"cannot take {path} into a bundle: it is damaged, its SHA-256 is not "
            f"{member.sha256}; add again what it belongs to"
        )


def _behind_head(bundle: Opened) -> Iterator[bytes]:
    bundle.file.seek(Member(layout.HEAD, len(bundle.head), "").room)
    while piece := bundle.file.read(AT_ONCE):
        yield piece


@contextmanager
def new_file(file: Path, size: int) -> Iterator[BinaryIO]:
    """Write a new file of so many bytes; its name appears at the end, in nobody's place.

    BundleError.
    """
    refuse_place(file)
    try:
        with scratch(file.parent, PREFIX) as place:
            written = place / "file"
            with _made(written, size) as out:
                yield out
            _put(written, file)
            sync_directory(file.parent)
    except FileExistsError as error:
        raise BundleError(f"cannot write {file}: somebody made it meanwhile") from error
    except OSError as error:
        raise _unwritten(file, error) from error


def _put(written: Path, file: Path) -> None:
    """Give a file its name, unless that is taken."""
    try:
        os.link(written, file)  # a rename would take another file's place
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        refuse_place(file)  # a stick's file system: it has no links, and rarely two who write
        written.rename(file)


@contextmanager
def _in_place(file: Path, size: int) -> Iterator[BinaryIO]:
    """Write a file of so many bytes in another one's place: old or new, never half."""
    try:
        with scratch(file.parent, PREFIX) as place:
            written = place / "file"
            with _made(written, size) as out:
                yield out
            written.replace(file)
            sync_directory(file.parent)
    except OSError as error:
        raise _unwritten(file, error) from error


def _unwritten(file: Path, error: OSError) -> BundleError:
    return BundleError(f"cannot write {file}: {error.filename or file}: {error.strerror}")


@contextmanager
def _made(path: Path, size: int) -> Iterator[BinaryIO]:
    refuse_little_room(path.parent, size)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def refuse_place(file: Path) -> None:
    """Raise BundleError where no new file can be made, before anything is done for it."""
    try:
        if os.path.lexists(file):
            raise BundleError(
                f"cannot write {file}: it is there already, and is not overwritten; take another "
                "name"
            )
        if not file.parent.is_dir():
            raise BundleError(f"cannot write {file}: {file.parent} is no directory; make it")
    except OSError as error:
        raise _unwritten(file, error) from error


def refuse_little_room(directory: Path, size: int) -> None:
    """Raise BundleError where a file system has fewer bytes free than are to come."""
    free = shutil.disk_usage(directory).free
    if size > free:
        raise BundleError(
            f"cannot write to {directory}: {size} bytes are to come and {free} are free; make room"
        )
