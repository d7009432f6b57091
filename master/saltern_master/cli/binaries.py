"""saltern binaries: Kubernetes' own programs in the master's library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saltern_master import cache
from saltern_master.binaries.add import AddBinaries
from saltern_master.binaries.build_tools import Steps
from saltern_master.binaries.check import host_architecture
from saltern_master.binaries.components import BinaryError
from saltern_master.binaries.release import SITE
from saltern_master.cli.output import Output, errors_told, say, show
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.library import Library
from saltern_master.signing.home import write_whole

app = typer.Typer(no_args_is_help=True, help="Kubernetes' own programs, by version.")

COLUMNS = ("version", "component", "architecture", "size", "origin", "sha256")


@app.command()
def add(
    version: Annotated[str, typer.Argument(help="Such as 1.20.2.")],
    component: Annotated[
        list[str] | None,
        typer.Option("--component", "-c", help="Only this one (kubelet …); may be repeated."),
    ] = None,
    directory: Annotated[
        Path | None, typer.Option("--from", help="Take the programs from this directory.")
    ] = None,
    build: Annotated[
        bool, typer.Option("--build", help="Build 1.20.2 from Debian's source package.")
    ] = False,
    architecture: Annotated[
        str | None,
        typer.Option("--arch", help="Of the release's programs; this machine's if not given."),
    ] = None,
    site: Annotated[
        str, typer.Option(help="Where releases are: the project's, or a mirror.")
    ] = SITE,
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Add a version: from the official release, a directory, or built."""
    with errors_told():
        chosen = tuple(component or ())
        _refuse_both(version, directory, build, architecture)
        adding = AddBinaries(Library(home), Steps(say))
        if build:
            added = adding.from_debian_source(version, chosen, cache.root())
        elif directory is not None:
            added = adding.from_directory(version, chosen, directory)
        else:
            added = adding.from_release(
                version, chosen, architecture or host_architecture(), site.rstrip("/")
            )
        show(added, COLUMNS, output)


@app.command("list")
def list_binaries(home: OwnHome = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List what the library has."""
    with errors_told():
        show(Library(home).list().binaries, COLUMNS, output)


@app.command()
def save(
    version: Annotated[str, typer.Argument(metavar="VERSION", help="Such as 1.20.2.")],
    component: Annotated[str, typer.Argument(metavar="COMPONENT", help="Such as kubectl.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where the program goes.")],
    architecture: Annotated[
        str | None, typer.Option("--arch", help="This machine's if not given.")
    ] = None,
    home: OwnHome = DEFAULT_HOME,
) -> None:
    """Save one program of the library as a file, to run it here: kubectl, say."""
    with errors_told():
        library = Library(home)
        found = library.binary(version, component, architecture or host_architecture())
        write_whole(file, library.path(found.sha256).read_bytes(), 0o755)
        say(f"wrote {file}")


def _refuse_both(
    version: str, directory: Path | None, build: bool, architecture: str | None
) -> None:
    if build and directory is not None:
        raise BinaryError(f"cannot add {version} from two places; give --build or --from, not both")
    if architecture is not None and (build or directory is not None):
        raise BinaryError(
            f"cannot choose --arch {architecture} with --build or --from: those programs are run "
            "to see their version, so they are this machine's"
        )
