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


ReleaseVersion = Annotated[str, Meta(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+[a-z0-9.+~]{0,40}\Z")]
"""Of the agent, as people write it and as it tells its master: 0.2.0."""


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


class Release(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A package of the agent, for machines of one Python and one architecture (Debian's words)."""

    version: ReleaseVersion
    package: Annotated[str, Meta(pattern=r"^[0-9][A-Za-z0-9.+:~-]{0,100}\Z")]  # 0.2.0-1~deb12
    python: Annotated[str, Meta(pattern=r"^3\.[0-9]{1,3}\Z")]
    architecture: Annotated[str, Meta(pattern=r"^[a-z0-9-]{2,20}\Z")]
    sha256: Sha256
    size: Size


class Index(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All that the library holds, each part sorted by name."""

    format: str = FORMAT
    binaries: tuple[Binary, ...] = ()
    images: tuple[Image, ...] = ()
    packages: tuple[PackageSet, ...] = ()
    releases: tuple[Release, ...] = ()


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


def with_release(index: Index, release: Release) -> Index:
    """Give the index with a release, in place of the one of the same version and machines."""
    entries = {_release_key(other): other for other in index.releases}
    entries[_release_key(release)] = release
    return msgspec.structs.replace(index, releases=tuple(entries[key] for key in sorted(entries)))


def with_all(index: Index, stock: Index) -> Index:
    """Give the index with all entries of another one, each in place of the one of its name."""
    binaries = {_binary_key(one): one for one in (*index.binaries, *stock.binaries)}
    images = {one.name: one for one in (*index.images, *stock.images)}
    packages = {one.name: one for one in (*index.packages, *stock.packages)}
    releases = {_release_key(one): one for one in (*index.releases, *stock.releases)}
    return msgspec.structs.replace(
        index,
        binaries=tuple(binaries[key] for key in sorted(binaries)),
        images=tuple(images[key] for key in sorted(images)),
        packages=tuple(packages[key] for key in sorted(packages)),
        releases=tuple(releases[key] for key in sorted(releases)),
    )


def contents(index: Index) -> frozenset[str]:
    """Give the hashes of all that an index names."""
    return frozenset(
        (
            *(binary.sha256 for binary in index.binaries),
            *(image.archive_sha256 for image in index.images),
            *(deb.sha256 for packages in index.packages for deb in packages.debs),
            *(release.sha256 for release in index.releases),
        )
    )


def _release_key(release: Release) -> tuple[str, str, str]:
    return release.version, release.python, release.architecture


def _binary_key(binary: Binary) -> tuple[tuple[int, ...], str, str, str]:
    numbers = tuple(int(part) for part in binary.version.partition("-")[0].split("."))
    return numbers, binary.version, binary.component, binary.architecture
