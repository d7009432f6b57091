"""saltern releases: packages of the agent itself, in the master's library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saltern_master.cli.faults import faults_told
from saltern_master.cli.output import Output, say, show
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError
from saltern_master.library import Library, Release
from saltern_master.releases import read_release

app = typer.Typer(no_args_is_help=True, help="Releases of the agent, as .deb files.")

COLUMNS = ("version", "package", "python", "architecture", "size", "sha256")


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Packages, .deb files.")],
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Add packages of the agent; prints what policy has to name."""
    with faults_told():
        if lacking := [str(file) for file in files if not file.is_file()]:
            raise FileError(
                f"cannot read {', '.join(lacking)}: there is no such file; nothing was added"
            )
        releases = [read_release(file) for file in files]
        library = Library(home)
        for release, file in zip(releases, files, strict=True):
            library.add_release(release, file)
        show(releases, COLUMNS, output)
        for line in for_policy(releases):
            say(line)


@app.command("list")
def list_releases(home: OwnHome = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List what the library has."""
    with faults_told():
        show(Library(home).list().releases, COLUMNS, output)


def for_policy(releases: list[Release]) -> tuple[str, ...]:
    """Say what a person puts into policy.yaml."""
    return (
        "no node becomes one of these before policy names it: in policy.yaml, for each class,",
        "  releases:",
        *(f"  - {one.sha256}  # {one.package}" for one in releases),
        "and then: saltern policy",
    )
