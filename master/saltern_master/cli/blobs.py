"""saltern blobs: contents for artifacts of a person's own, in the master's library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from saltern_master.cli.faults import faults_told
from saltern_master.cli.output import Output, show
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError
from saltern_master.library import Library

app = typer.Typer(no_args_is_help=True, help="Contents for artifacts of your own, by SHA-256.")


class Row(msgspec.Struct, frozen=True):
    """One content, and the file that it was taken from."""

    sha256: str
    file: str


@app.command()
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files to keep.")],
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Add files; an artifact in the cluster file names them by the SHA-256 that is printed."""
    with faults_told():
        missing = ", ".join(str(file) for file in files if not file.is_file())
        if missing:
            raise FileError(f"cannot read {missing}: there is no such file; nothing was added")
        library = Library(home)
        show([Row(library.add_blob(file), str(file)) for file in files], ("sha256", "file"), output)
