"""saltern/etcd:VERSION: Debian's etcd with the libraries that it is linked to.

The .deb files come from the machine's own sources of packages and are checked by their hashes
(packages.py). Debian links etcd dynamically; which libraries it loads is asked of the loader
that comes with them, so none of this machine's gets in.

Cache: ~/.cache/saltern/debs, as of all packages.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from saltern_master import cache
from saltern_master.binaries.check import host_architecture
from saltern_master.commands import run
from saltern_master.images.archive import write_image
from saltern_master.images.config import ImageConfig
from saltern_master.images.tree import File, ImageError
from saltern_master.library import Image, Library
from saltern_master.packages import Deb, fetch_closure

PACKAGE = "etcd-server"
UNPACKED = (PACKAGE, "libc6")
PROGRAM = "usr/bin/etcd"
LINKS = 8
DPKG_DEB = "/usr/bin/dpkg-deb"
LOADERS = MappingProxyType(
    {"amd64": "lib64/ld-linux-x86-64.so.2", "arm64": "lib/ld-linux-aarch64.so.1"}
)
"""PT_INTERP of a program, by architecture (each ABI's own supplement to System V)."""
PRESENT = """\
Package: adduser
Status: install ok installed
Version: 3.118
Architecture: all
Maintainer: nobody
Description: makes accounts as the package is set up, which no image needs

"""
"""What dpkg would say of a base that has all but what the program loads."""


def add_etcd_image(library: Library, progress: Callable[[str], None]) -> Image:
    """Make the image of Debian's etcd, and put it into the library."""
    library.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".image-", dir=library.home) as scratch:
        tree = Path(scratch) / "tree"
        tree.mkdir()
        version = _unpack(_fetch(Path(scratch), progress), tree)
        config = ImageConfig(entrypoint=("/etcd",), architecture=host_architecture())
        path = Path(scratch) / "image.tar"
        made = write_image(path, f"saltern/etcd:{version}", _files(tree), config)
        library.adopt_blob(path, expect=made.archive_sha256)
    return library.add_image(made)


def upstream(version: str) -> str:
    """Give the program's own version of a Debian one: 1:3.4.23+ds-4+b4 -> 3.4.23."""
    found = re.match(r"([0-9]+:)?(?P<own>[0-9]+(\.[0-9]+)+)", version)
    if found is None:
        raise ImageError(f"cannot read {version!r} as the version of {PACKAGE}")
    return found["own"]


def loaded(listing: str) -> tuple[str, ...]:
    """Give the files that a loader's --list names, in its order; ImageError: one is missing."""
    if missing := re.findall(r"^\s*(\S+) => not found$", listing, re.MULTILINE):
        raise ImageError(f"cannot make an image of {PACKAGE}: nothing brings {', '.join(missing)}")
    return tuple(re.findall(r"^\s*\S+ => (/\S+) \(0x[0-9a-f]+\)$", listing, re.MULTILINE))


def _fetch(scratch: Path, progress: Callable[[str], None]) -> tuple[Deb, ...]:
    status = scratch / "status"
    status.write_text(PRESENT)
    return fetch_closure([PACKAGE], status, cache.root() / "debs", progress)


def _unpack(debs: tuple[Deb, ...], tree: Path) -> str:
    for deb in debs:
        if deb.package in UNPACKED:
            run([DPKG_DEB, "--extract", deb.path, str(tree)], seconds=120)
    return upstream(next(deb.version for deb in debs if deb.package == PACKAGE))


def _files(tree: Path) -> Iterator[File]:
    at = LOADERS[host_architecture()]
    loader, program = _inside(tree, at), _inside(tree, PROGRAM)
    where = ":".join(map(str, (*tree.glob("lib/*-linux-gnu"), *tree.glob("usr/lib/*-linux-gnu"))))
    listing = run([str(loader), "--library-path", where, "--list", str(program)])
    yield File("/etcd", program, 0o755)
    yield File(f"/{at}", loader, 0o755)
    for path in loaded(listing):
        name = Path(path).relative_to(tree)
        if str(name) != at:
            yield File(f"/{name}", _inside(tree, str(name)), 0o755)


def _inside(tree: Path, name: str) -> Path:
    """Follow links as they lead in the tree itself, not on this machine; give a file of it."""
    path = tree / name
    for _ in range(LINKS):
        if not path.is_symlink():
            break
        target = path.readlink()
        path = tree / target.relative_to("/") if target.is_absolute() else path.parent / target
    if not path.is_file() or not path.resolve().is_relative_to(tree.resolve()):
        raise ImageError(f"cannot make an image of {PACKAGE}: its packages bring no /{name}")
    return path
