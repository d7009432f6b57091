"""saltern images: container image archives in the master's library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saltern_master.cli.output import Output, errors_told, say, show
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.images import read_image
from saltern_master.images.recipes import choose
from saltern_master.library import Image, Library

app = typer.Typer(no_args_is_help=True, help="Container images, as archives.")

COLUMNS = ("name", "config_digest", "size", "archive_sha256")


@app.command()
def add(
    program: Annotated[
        list[str] | None,
        typer.Argument(
            help="Images that are made here: pause, echo, ask, etcd, kube-apiserver, "
            "kube-controller-manager, kube-scheduler. All that the library has the programs "
            "of, if nothing is named."
        ),
    ] = None,
    archive: Annotated[
        list[Path] | None,
        typer.Option("--archive", help="An archive of `docker save NAME:TAG`; may be repeated."),
    ] = None,
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Add images: some are made here, others come as archives."""
    with errors_told():
        library = Library(home)
        # read first: an archive that is wrong is told before anything is added
        archives = [(path, read_image(path)) for path in archive or ()]
        added = [_add_archive(library, path, image) for path, image in archives]
        if program or not archives:
            for chosen in choose(program or (), library, say):
                say(f"{chosen.name} …")
                made = chosen.add()
                say(f"{made.name}: {made.size / 1e6:.1f} MB")
                added.append(made)
        show(added, COLUMNS, output)


@app.command("list")
def list_images(home: OwnHome = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List what the library has."""
    with errors_told():
        show(Library(home).list().images, COLUMNS, output)


def _add_archive(library: Library, path: Path, image: Image) -> Image:
    library.add_blob(path, expect=image.archive_sha256)
    return library.add_image(image)
