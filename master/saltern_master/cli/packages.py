"""saltern packages: Debian packages with all that they need, in the master's library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from saltern_master import cache
from saltern_master.cli.faults import faults_told
from saltern_master.cli.output import Output, say, show
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError
from saltern_master.library import Deb, Library, PackageSet
from saltern_master.packages import fetch_closure

app = typer.Typer(no_args_is_help=True, help="Debian packages, as .deb files with what they need.")

COLUMNS = ("name", "version", "debs", "bytes")


class Row(msgspec.Struct, frozen=True):
    """One set of packages."""

    name: str
    version: str
    debs: int
    bytes: int


@app.command()
def add(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Debian packages.")],
    base: Annotated[
        Path,
        typer.Option(help="dpkg's status file of a bare node (its /var/lib/dpkg/status)."),
    ],
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Add packages, each with all that a bare node lacks for it."""
    with faults_told():
        if not base.is_file():
            raise FileError(f"cannot read {base}; give the status file of a bare node as --base")
        library = Library(home)
        sets = [_add(library, name, base) for name in names]
        show([_row(one) for one in sets], COLUMNS, output)


@app.command("list")
def list_packages(home: OwnHome = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List what the library has."""
    with faults_told():
        show([_row(one) for one in Library(home).list().packages], COLUMNS, output)


def _add(library: Library, name: str, base: Path) -> PackageSet:
    """Add one closure; an empty one says that every bare node has the package."""
    fetched = fetch_closure([name], base, cache.root() / "debs", say)
    if not fetched:
        say(f"{name}: the base has it already, so nothing is brought for it")
    debs = (
        (
            Deb(
                package=deb.package,
                version=deb.version,
                architecture=deb.architecture,
                sha256=deb.sha256,
                size=deb.size,
            ),
            Path(deb.path),
        )
        for deb in fetched
    )
    return library.add_package_set(name, debs)


def _row(one: PackageSet) -> Row:
    version = next((deb.version for deb in one.debs if deb.package == one.name), "")
    return Row(one.name, version, len(one.debs), sum(deb.size for deb in one.debs))
