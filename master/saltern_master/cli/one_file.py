"""The one file of a command, with -f or without: people are used to either."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saltern_master.cli.refusals import UsageError

FileOption = Annotated[
    Path | None,
    typer.Option("--file", "-f", metavar="FILE", help="The same as FILE without it."),
]


def one_file(given: Path | None, option: Path | None) -> Path | None:
    """Give the file that was named in either way; None: in neither. UsageError: in both."""
    if given is not None and option is not None:
        raise UsageError(f"cannot take both {given} and {option}: name one file")
    return option if given is None else given


def needed_file(given: Path | None, option: Path | None) -> Path:
    """Give the file that was named; UsageError where none was, too."""
    file = one_file(given, option)
    if file is None:
        raise UsageError("cannot begin without a file: name one, such as cluster.yaml")
    return file
