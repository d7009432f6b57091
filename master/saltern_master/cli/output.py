"""How commands write: results to standard output, progress and errors to standard error.

Laws: what goes to standard output is the result alone, as a table for people or as JSON for
programs; an error is one text that begins with the program's name, and exit status 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum

import msgspec
import typer
from saltern_protocol.errors import for_terminal

from saltern_master.errors import MasterError


class Output(StrEnum):
    """How a list is written."""

    TABLE = "table"
    JSON = "json"


def show(values: Sequence[msgspec.Struct], columns: Sequence[str], output: Output) -> None:
    """Write values: these fields of them as a table, or everything as JSON."""
    if output is Output.JSON:
        typer.echo(for_terminal(msgspec.json.format(msgspec.json.encode(values)).decode()))
        return
    typer.echo(for_terminal("\n".join(lines_of(values, columns))))


def lines_of(values: Sequence[msgspec.Struct], columns: Sequence[str]) -> list[str]:
    """Lay these fields of values out in columns under their names, nothing cut. Pure."""
    rows = [tuple(columns), *(tuple(str(getattr(v, name)) for name in columns) for v in values)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(columns))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def say(line: str) -> None:
    """Write one line of progress."""
    typer.echo(for_terminal(line), err=True)


@contextmanager
def errors_told() -> Iterator[None]:
    """Turn an error for people into its text and exit status 1."""
    try:
        yield
    except MasterError as error:
        typer.echo(for_terminal(f"saltern: {error}"), err=True)
        raise typer.Exit(1) from error
