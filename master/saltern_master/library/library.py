"""The library: blobs and what they are.

    HOME/blobs/SHA256    see blobs.py
    HOME/library.json    see index.py

Laws:
* a blob is in the store before the index names it, so the index never points at nothing;
* what is not there is an error that says which command brings it;
* a set of packages comes in whole or not at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from saltern_master.errors import MasterError
from saltern_master.library import blobs, values
from saltern_master.library.index import change_index, load_index
from saltern_master.library.values import Binary, Deb, Image, Index, PackageSet, Release


class MissingError(MasterError):
    """Something is not in the library; the text says how it comes in."""


class Library:
    """A content store below one directory, for any number of readers and writers."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._blobs = home / "blobs"

    def add_blob(self, path: Path, expect: str | None = None) -> str:
        """Store a file's content; give its SHA-256. BlobError when it is not the expected one."""
        return blobs.add_copy(self._blobs, path, expect)

    def adopt_blob(self, path: Path, expect: str | None = None) -> str:
        """Store a file that nobody writes to again, by hard link where possible; as add_blob."""
        return blobs.add_link(self._blobs, path, expect)

    def add_bytes(self, data: bytes) -> str:
        """Store what is in memory, durably when it returns; give its SHA-256. BlobError."""
        return blobs.add_bytes(self._blobs, data)

    def ensure_all(self, contents: Iterable[bytes]) -> None:
        """Store what is in memory and is not here, durably when it returns. BlobError."""
        named = {hashlib.sha256(one).hexdigest(): one for one in contents}
        lacking = {name: one for name, one in named.items() if not self.has(name)}
        if lacking:
            blobs.add_all(self._blobs, lacking)

    def path(self, sha256: str) -> Path:
        """Where a blob is; MissingError when it is not here."""
        path = blobs.blob_path(self._blobs, sha256)
        if not self.has(sha256):
            raise MissingError(
                f"cannot find blob {sha256} in {self._blobs}: "
                "add again what it belongs to (saltern binaries, images, packages or releases add)"
            )
        return path

    def has(self, sha256: str) -> bool:
        """Tell whether a blob is here."""
        return blobs.blob_path(self._blobs, sha256).is_file()

    def list(self) -> Index:
        """All that the library holds."""
        return load_index(self.home)

    def add_binary(self, binary: Binary) -> Binary:
        """Name a blob as a program of a version; MissingError when the blob is not here."""
        self.path(binary.sha256)
        change_index(self.home, partial(values.with_binary, binary=binary))
        return binary

    def add_image(self, image: Image) -> Image:
        """Name a blob as an image's archive; MissingError when the blob is not here."""
        self.path(image.archive_sha256)
        change_index(self.home, partial(values.with_image, image=image))
        return image

    def add_release(self, release: Release, file: Path) -> Release:
        """Store a package of the agent; BlobError when it is not what its Release says."""
        self.add_blob(file, expect=release.sha256)
        change_index(self.home, partial(values.with_release, release=release))
        return release

    def add_package_set(self, name: str, debs: Iterable[tuple[Deb, Path]]) -> PackageSet:
        """Store the closure of a package; BlobError when a file is not what its Deb says."""
        files = sorted(debs, key=lambda pair: (pair[0].package, pair[0].version))
        for deb, path in files:
            self.add_blob(path, expect=deb.sha256)
        packages = PackageSet(name=name, debs=tuple(deb for deb, _ in files))
        change_index(self.home, partial(values.with_package_set, packages=packages))
        return packages

    def add_pieces(self, pieces: Iterable[bytes], expect: str) -> str:
        """Store a content that comes in pieces, never all of it in memory. BlobError."""
        return blobs.add_pieces(self._blobs, pieces, expect)

    def merge(self, stock: Index) -> Index:
        """Name all of these at once, each in place of what had its name; give what was before.

        MissingError when a blob is not here. Where nothing would change, nothing is written.
        """
        for sha256 in sorted(values.contents(stock)):
            self.path(sha256)
        before = self.list()
        if values.with_all(before, stock) == before:
            return before
        seen: list[Index] = []

        def change(index: Index) -> Index:
            seen.append(index)
            return values.with_all(index, stock)

        change_index(self.home, change)
        return seen[-1]

    def binary(self, version: str, component: str, architecture: str = "amd64") -> Binary:
        """A program of a Kubernetes version; MissingError when it was never added."""
        for binary in self.list().binaries:
            found = (binary.version, binary.component, binary.architecture)
            if found == (version, component, architecture):
                return binary
        raise MissingError(
            f"cannot find {component} {version} for {architecture} in {self.home}; "
            f"run: saltern binaries add {version}"
        )

    def image(self, name: str) -> Image:
        """An image by repository and tag; MissingError when it was never added."""
        images = {image.name: image for image in self.list().images}
        if name not in images:
            known = ", ".join(sorted(images)) or "no image yet"
            raise MissingError(
                f"cannot find image {name} in {self.home} (it holds {known}); "
                "run: saltern images add"
            )
        return images[name]

    def packages(self, name: str) -> tuple[Deb, ...]:
        """The closure of a package; MissingError when it was never added."""
        for packages in self.list().packages:
            if packages.name == name:
                return packages.debs
        raise MissingError(
            f"cannot find package {name} in {self.home}; run: saltern packages add {name}"
        )
