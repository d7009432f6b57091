"""What is in a bundle: the cluster file, the library's entries, and every content by hash. Pure.

* Equal contents give equal bytes: all is sorted, and there is no time and no machine in it.
* Every content that an entry names is there once, with its size, and none that nothing names.
* No name in it leads anywhere: contents are named by hashes, agents' packages by one component.
* It is read whole or not at all; one of a later form is refused. All faults are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saltern_protocol.errors import printable
from saltern_protocol.terms import Name

from saltern_master.cluster import source
from saltern_master.errors import MasterError
from saltern_master.library.values import (
    Binary,
    Image,
    Index,
    PackageSet,
    Release,
    Sha256,
    with_all,
)

FORM: Final = "saltern-bundle/1"
MOST_BYTES: Final = 4 * 1024 * 1024
"""Of a manifest: some ten thousand contents."""
MOST_CLUSTER: Final = source.MAX_BYTES
"""Of a cluster file."""
MOST_TOLD: Final = 50
"""Faults of one file that are told; who has so many needs another copy."""

Size = Annotated[int, Meta(ge=0, lt=8**11)]
"""In bytes; a tar of this form has eleven octal digits for it."""
PACKAGE_FILE: Final = r"^saltern-(agent|master)[-_][A-Za-z0-9][A-Za-z0-9.+~_-]{0,100}\.(deb|rpm)\Z"
PackageFile = Annotated[str, Meta(pattern=PACKAGE_FILE)]


class BundleError(MasterError):
    """A bundle cannot be made, read or taken in. `reasons`: each of them, where there are many."""

    def __init__(self, text: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("\n  ".join((text, *reasons)))
        self.reasons = reasons


class Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What every part of a manifest is."""


class Part(Value, frozen=True, kw_only=True):
    """A content, by its hash."""

    sha256: Sha256
    size: Size


class Agent(Value, frozen=True, kw_only=True):
    """A package of Saltern's own, by the name of its file."""

    name: PackageFile
    sha256: Sha256
    size: Size


class Manifest(Value, frozen=True, kw_only=True):
    """All of a bundle.

    `own`: contents that the cluster file itself names by hash. `parts`: every content but the
    cluster file, sorted.
    """

    form: Literal["saltern-bundle/1"] = "saltern-bundle/1"
    cluster: Name
    cluster_file: Part
    stock: Index
    own: tuple[Sha256, ...]
    agents: tuple[Agent, ...]
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of all contents."""
        return self.cluster_file.size + sum(part.size for part in self.parts)

    @property
    def packages(self) -> dict[str, str]:
        """The packages of Saltern's own, releases among them: file name -> SHA-256."""
        return dict(_packages(self))


def encode_manifest(manifest: Manifest) -> bytes:
    """Give its bytes; BundleError for one that could not be read again."""
    data = one_form(manifest)
    decode_manifest(data)
    return data


def one_form(manifest: Manifest) -> bytes:
    """Give the bytes that a manifest has, and no others."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest; BundleError: it is none, of another form, or does not fit itself."""
    if len(data) > MOST_BYTES:
        raise BundleError(f"cannot read a manifest of {len(data)} bytes: the limit is {MOST_BYTES}")
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError) as error:
        raise BundleError(
            f"cannot read the manifest: {printable(str(error))}; those of this release are of the "
            f"form {FORM}"
        ) from error
    if faults := tuple(_faults(manifest)):
        more = ("...",) if len(faults) > MOST_TOLD else ()
        raise BundleError("cannot take this manifest:", (*faults[:MOST_TOLD], *more))
    return manifest


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a library's index: what it is to people, and its contents with their sizes."""

    kind: Literal["binary", "image", "packages", "release"]
    name: str
    value: Binary | Image | PackageSet | Release
    contents: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


def entries(stock: Index) -> Iterator[Entry]:
    """Give all entries of an index, in its order."""
    for binary in stock.binaries:
        name = printable(f"{binary.component} {binary.version} {binary.architecture}")
        yield Entry("binary", name, binary, ((binary.sha256, binary.size),))
    for image in stock.images:
        yield Entry("image", image.name, image, ((image.archive_sha256, image.size),))
    for packages in stock.packages:
        contents = tuple((deb.sha256, deb.size) for deb in packages.debs)
        yield Entry("packages", packages.name, packages, contents)
    for release in stock.releases:
        name = f"agent {release.version} python{release.python} {release.architecture}"
        yield Entry("release", name, release, ((release.sha256, release.size),))


def _faults(manifest: Manifest) -> Iterator[str]:
    sizes = {part.sha256: part.size for part in manifest.parts}
    yield from _disorder("parts", [part.sha256 for part in manifest.parts])
    yield from _disorder("own", list(manifest.own))
    yield from _disorder("agents", [agent.name for agent in manifest.agents])
    if manifest.cluster_file.size > MOST_CLUSTER:
        yield f"clusterFile: {manifest.cluster_file.size} bytes; it has at most {MOST_CLUSTER}"
    if not _is_ordered(manifest.stock):
        yield "stock: an entry stands twice, or out of its order"
    wanted = [(one.name, one.sha256, one.size) for one in manifest.agents]
    wanted += [(str(one), *pair) for one in entries(manifest.stock) for pair in one.contents]
    for shown, sha256, size in wanted:
        if sha256 not in sizes:
            yield f"{shown}: its content {sha256} is not among the parts"
        elif sizes[sha256] != size:
            yield f"{shown}: it has {size} bytes, and its content {sizes[sha256]}"
    yield from (f"own: {one} is not among the parts" for one in manifest.own if one not in sizes)
    yield from _ambiguous(_packages(manifest))
    known = {sha256 for _, sha256, _ in wanted} | set(manifest.own)
    yield from (f"parts: nothing names {one}" for one in sizes if one not in known)


def _packages(manifest: Manifest) -> Iterator[tuple[str, str]]:
    for one in manifest.stock.releases:
        version = one.package.replace(":", "%3a")
        yield f"saltern-agent_{version}_{one.architecture}.deb", one.sha256
    yield from ((one.name, one.sha256) for one in manifest.agents)


def _ambiguous(files: Iterable[tuple[str, str]]) -> Iterator[str]:
    """Tell of names that two packages have which are not the same."""
    seen: dict[str, str] = {}
    for name, sha256 in files:
        if seen.setdefault(name, sha256) != sha256:
            yield f"{name}: two packages of other contents have this name"


def _is_ordered(stock: Index) -> bool:
    try:
        return with_all(Index(), stock) == stock
    except ValueError:  # a version of more digits than a number has
        return False


def _disorder(where: str, names: list[str]) -> Iterable[str]:
    if names != sorted(set(names)):
        yield f"{where}: one stands twice, or out of its order"
