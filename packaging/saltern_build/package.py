"""Make one package: gather, stage, and have nfpm write it.

The same sources, tools and time give the same bytes, wherever and whenever this runs.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from saltern_agent.__main__ import parser
from saltern_master.cli import app
from saltern_master.commands import run

from saltern_build import libraries, tree, wheels
from saltern_build.components import components
from saltern_build.config import Package, config
from saltern_build.copyright import copyright_file
from saltern_build.entries import Entry, Sources, entries, scripts
from saltern_build.products import Product
from saltern_build.programs import Command, of_argparse, of_typer
from saltern_build.release import Release
from saltern_build.targets import Target, file_name
from saltern_build.tools import Tools

SECONDS: Final = 300


def build(
    root: Path,
    product: Product,
    target: Target,
    release: Release,
    machine: str,
    into: Path,
    tools: Tools,
) -> Path:
    """Write one package of the checkout `root` into a directory; give its file."""
    lock = root / "packaging/locks" / product.lock
    others = wheels.downloaded(lock, target, machine, tools)
    with tempfile.TemporaryDirectory(prefix="saltern-package-") as work:
        made, folder = Path(work, "tree"), Path(work)
        own = wheels.built(root, product.distributions, "wheel", folder / "wheels", tools)
        tree.unpack(made, product, target, machine, lock, others, own, tools)
        said = copyright_file(product, components(made), release.moment.year)
        tree.strip(made)
        tree.strip_symbols(made, tools)
        made.joinpath("__main__.py").write_text(tree.starter(product))
        sources = Sources(root, made, program_of(product), said, release)
        staged = list(_staged(entries(product, target, sources), folder / "staged"))
        package = Package(product, target, release, machine, needed_libraries(made, target, tools))
        script_files = dict(_scripts(product, target, release, root, folder / "scripts"))
        told = folder / "nfpm.json"
        told.write_text(config(package, staged, script_files))
        made_file = into / file_name(product.name, release.version, target, machine)
        _pack(told, target, made_file, release, tools)
    return made_file


def needed_libraries(made: Path, target: Target, tools: Tools) -> tuple[str, ...]:
    """Name the packages that a tree's compiled modules need."""
    modules = libraries.compiled(made)
    wanted = libraries.read(libraries.look(modules, tools))
    return libraries.packages(wanted, {path.name for path in modules}, target)


def program_of(product: Product) -> Command:
    """Read the product's own command line."""
    if product.short == "master":
        return of_typer(app, product.program)
    agent: argparse.ArgumentParser = parser()
    return of_argparse(agent, product.summary)


def _staged(wanted: Iterable[Entry], folder: Path) -> Iterator[tuple[Entry, Path]]:
    """Put contents into files that nfpm reads; files that are there already stay where they are."""
    folder.mkdir()
    for number, entry in enumerate(wanted):
        if isinstance(entry.content, Path):
            yield entry, entry.content
        else:
            path = folder / str(number)
            path.write_bytes(entry.content)
            yield entry, path


def _scripts(
    product: Product, target: Target, release: Release, root: Path, folder: Path
) -> Iterator[tuple[str, Path]]:
    folder.mkdir()
    for name, text in scripts(product, target, release, root).items():
        path = folder / name
        path.write_text(text)
        yield name, path


def _pack(told: Path, target: Target, made: Path, release: Release, tools: Tools) -> None:
    made.parent.mkdir(parents=True, exist_ok=True)
    part = made.with_name(f".{made.name}.part")
    command = [tools.nfpm, "package", "--config", str(told), "--packager", target.format]
    environment = {**tools.environment, "SOURCE_DATE_EPOCH": str(release.epoch)}
    run([*command, "--target", str(part)], seconds=SECONDS, environment=environment)
    part.replace(made)
