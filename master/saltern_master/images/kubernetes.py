"""The images of the control plane: one program of the library each, and nothing else in them.

    saltern/kube-apiserver:v1.20.2, saltern/kube-controller-manager:v1.20.2, …

The programs are static and were stripped when they were built, so FROM scratch is enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from saltern_master.binaries.check import host_architecture
from saltern_master.images.archive import write_image
from saltern_master.images.config import ImageConfig
from saltern_master.images.tree import File
from saltern_master.library import Binary, Image, Library

COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def programs(library: Library) -> Iterator[Binary]:
    """Give the programs of the library that an image is made of: this machine's, any version."""
    for binary in library.list().binaries:
        if binary.component in COMPONENTS and binary.architecture == host_architecture():
            yield binary


def image_name(binary: Binary) -> str:
    """Name the image of a program."""
    return f"saltern/{binary.component}:v{binary.version}"


def add_kubernetes_image(library: Library, binary: Binary) -> Image:
    """Make the image of a program of the library, and put it there too."""
    at = f"/{binary.component}"
    config = ImageConfig(entrypoint=(at,), architecture=binary.architecture)
    files = [File(at, library.path(binary.sha256), 0o755)]
    with TemporaryDirectory(prefix=".image-", dir=library.home) as scratch:
        path = Path(scratch) / "image.tar"
        made = write_image(path, image_name(binary), files, config)
        library.adopt_blob(path, expect=made.archive_sha256)
    return library.add_image(made)
