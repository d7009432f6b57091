"""Make all that is released, or one package of the cache.

    DIST/                 .deb, .rpm, our wheels and sdists
    DIST/wheelhouse/      every wheel for every target, ours too, and the two locks: what pip needs
                          where there is no registry
    DIST/SHA256SUMS       of all of it, as sha256sum -c reads it

Cache: ~/.cache/saltern/packages/made/KEY/, where KEY is a hash of what one package is made from;
the newest few are kept. The lab installs from there.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from saltern_master import cache

from saltern_build import package, wheels
from saltern_build.errors import PackagingError
from saltern_build.products import PRODUCTS, Product
from saltern_build.release import DISTRIBUTIONS, Release
from saltern_build.targets import TARGETS, Target, file_name
from saltern_build.tools import Tools

SUMS: Final = "SHA256SUMS"
_INPUTS: Final = ("packaging", "docs/tutorial", "CHANGELOG.md", "LICENSE", "pyproject.toml")
_KEPT: Final = 24
_BUILDERS: Final = ("nfpm", "uv-build")


@dataclass(frozen=True, slots=True)
class Bench:
    """What every package of one build has in common."""

    root: Path
    release: Release
    machine: str
    tools: Tools


def everything(bench: Bench, into: Path, progress: Callable[[str], None]) -> tuple[Path, ...]:
    """Fill a directory anew; give the packages. CommandError, PackagingError."""
    _empty(into)
    house = into / "wheelhouse"
    house.mkdir(parents=True)
    into.joinpath(SUMS).touch()  # a build that was broken off is known as one too
    made = []
    for product in PRODUCTS:
        for target in TARGETS:
            made.append(one(bench, product, target, into))
            progress(made[-1].name)
            lock = bench.root / "packaging/locks" / product.lock
            _gather(wheels.downloaded(lock, target, bench.machine, bench.tools), house)
        shutil.copyfile(bench.root / "packaging/locks" / product.lock, house / product.lock)
    for kind in ("sdist", "wheel"):
        for path in wheels.built(bench.root, DISTRIBUTIONS, kind, into, bench.tools):
            progress(path.name)
            if kind == "wheel":
                shutil.copyfile(path, house / path.name)
    into.joinpath(SUMS).write_text("".join(sums(into)))
    return tuple(made)


def one(bench: Bench, product: Product, target: Target, into: Path) -> Path:
    """Write one package into a directory."""
    return package.build(
        bench.root, product, target, bench.release, bench.machine, into, bench.tools
    )


def kept(bench: Bench, product: Product, target: Target) -> Path:
    """Give one package of the cache; made when the cache lacks it."""
    folder = cache.root() / "packages" / "made"
    made = folder / key(bench, product, target)
    if not made.is_dir():
        with cache.locked(folder / "lock"):
            if not made.is_dir():
                part = folder / "part"  # a crash's leavings have this name too
                shutil.rmtree(part, ignore_errors=True)
                one(bench, product, target, part)
                part.rename(made)
                _prune(folder)
    return made / file_name(product.name, bench.release.version, target, bench.machine)


def key(bench: Bench, product: Product, target: Target) -> str:
    """Hash all that a package is made from."""
    tools = " ".join(f"{name} {version(name)}" for name in _BUILDERS)
    head = f"{product.name} {target.name} {bench.machine} {bench.release.epoch} {tools}\0"
    digest = hashlib.sha256(head.encode())
    for path in _inputs(bench.root, product):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(bench.root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()[:16]


def sums(folder: Path) -> Iterator[str]:
    """Give the lines of SHA256SUMS."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SUMS:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            yield f"{digest}  {path.relative_to(folder)}\n"


def _inputs(root: Path, product: Product) -> Iterator[Path]:
    for name in (*_INPUTS, *product.distributions):
        top = root / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                yield path


def _empty(into: Path) -> None:
    """Take away what an earlier build made; PackagingError where somebody's own files are."""
    if into.exists() and any(into.iterdir()) and not into.joinpath(SUMS).is_file():
        raise PackagingError(f"cannot build into {into}: it is no earlier build, and not empty")
    if into.exists():
        shutil.rmtree(into)


def _gather(folder: Path, house: Path) -> None:
    for path in sorted(folder.iterdir()):
        if not house.joinpath(path.name).exists():
            shutil.copyfile(path, house / path.name)


def _prune(folder: Path) -> None:
    made = [path for path in folder.iterdir() if path.is_dir()]
    for old in sorted(made, key=lambda path: path.stat().st_mtime)[:-_KEPT]:
        shutil.rmtree(old)
