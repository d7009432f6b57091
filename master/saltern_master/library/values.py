"""What the library's index says of its blobs.

Laws:
* a value is frozen, and every hash is SHA-256 as 64 hexadecimal digits without a prefix;
* a value never says where its blob is: the hash is the name, Library.path gives the place;
* the index's format has a name; another format gets another name.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

FORMAT = "saltern-library/1"

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Size = Annotated[int, Meta(ge=0)]
"""In bytes."""

KubernetesVersion = Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z.-]+)?\Z")]
"""As people write it, without the "v": 1.20.2."""

ImageName = Annotated[
    str, Meta(pattern=r"^[a-z0-9][a-z0-9._/-]{0,200}:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}\Z")
]
"""Repository and tag; the tag is always said: saltern/pause:3.2."""

PackageName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9+.-]{1,62}\Z")]
"""Debian's names of packages."""


Origin = Literal["release", "directory", "debian-source"]
"""Who vouches: the published checksum, the person who named the directory, our own build."""


class Binary(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One program of one Kubernetes version; `architecture` in Go's and Debian's words: amd64."""

    version: KubernetesVersion
    component: str
    architecture: str
    sha256: Sha256
    size: Size
    origin: Origin


class Image(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One image archive. Its identity is the digest of its config; the archive is the blob."""

    name: ImageName
    config_digest: Sha256
    archive_sha256: Sha256
    size: Size


class Deb(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One .deb file."""

    package: PackageName
    version: Annotated[str, Meta(pattern=r"^[0-9][A-Za-z0-9.+:~-]{0,100}\Z")]
    architecture: Annotated[str, Meta(pattern=r"^[a-z0-9-]{2,20}\Z")]
    sha256: Sha256
    size: Size


class PackageSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The closure that belongs to a requested package: it and all that it needs."""

    name: PackageName
    debs: tuple[Deb, ...]


class Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the library holds, each part sorted by name."""

    format: str = FORMAT
    binaries: tuple[Binary, ...] = ()
    images: tuple[Image, ...] = ()
    packages: tuple[PackageSet, ...] = ()


def with_binary(index: Index, binary: Binary) -> Index:
    """Give the index with a binary, in place of the one of the same version, name, architecture."""
    entries = {_binary_key(other): other for other in index.binaries}
    entries[_binary_key(binary)] = binary
    return msgspec.structs.replace(index, binaries=tuple(entries[key] for key in sorted(entries)))


def with_image(index: Index, image: Image) -> Index:
    """Give the index with an image, in place of the one of the same name."""
    entries = {other.name: other for other in index.images} | {image.name: image}
    return msgspec.structs.replace(index, images=tuple(entries[key] for key in sorted(entries)))


def with_package_set(index: Index, packages: PackageSet) -> Index:
    """Give the index with a closure, in place of the one of the same name."""
    entries = {other.name: other for other in index.packages} | {packages.name: packages}
    return msgspec.structs.replace(index, packages=tuple(entries[key] for key in sorted(entries)))


def _binary_key(binary: Binary) -> tuple[tuple[int, ...], str, str, str]:
    numbers = tuple(int(part) for part in binary.version.partition("-")[0].split("."))
    return numbers, binary.version, binary.component, binary.architecture
