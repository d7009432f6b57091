"""How lists of the running master's things are written: a table, a wider one, JSON or YAML.

JSON and YAML have everything, with the API's own names; a table has what a person looks for.
What came from outside, names of facts too, is shown with its control characters escaped; in JSON
they are what JSON has for them, so that it reads the same. Pure but for write().
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
import typer
from saltern_protocol.errors import for_terminal, printable


class Output(StrEnum):
    """How a list is written."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def write(value: object, output: Output, lines: Iterable[str]) -> None:
    """Write a value as JSON or YAML, in full; or these lines."""
    if output is Output.JSON:
        typer.echo(in_json(msgspec.json.format(msgspec.json.encode(value))))
    elif output is Output.YAML:
        from saltern_master.compile.yaml_text import to_yaml

        typer.echo(to_yaml(msgspec.to_builtins(value)), nl=False)
    else:
        for line in lines:
            typer.echo(for_terminal(line))


def write_line(value: object) -> None:
    """Write a value as one line of JSON, at once."""
    typer.echo(in_json(msgspec.json.encode(value)))


def in_json(encoded: bytes) -> str:
    """Give JSON in which nothing moves a terminal: what is not printable, as JSON escapes it."""
    return for_terminal(encoded.decode())


def columns(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lay rows out under their heads, nothing cut; an empty cell is a dash."""
    table = [tuple(head), *(tuple(printable(cell) or "-" for cell in row) for row in rows)]
    widths = [max(len(row[at]) for row in table) for at in range(len(head))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]


def fields(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Lay out names and values, one pair a line."""
    shown = [(printable(name), printable(value) or "-") for name, value in pairs]
    width = max(len(name) for name, _ in shown)
    return [f"{name.ljust(width)}  {value}" for name, value in shown]
