"""How bodies are written for people and programs: a table, JSON or YAML."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec
import typer
from saltern_protocol.errors import for_terminal, printable
from saltern_states.body import Body

from saltern_master.cli.output import lines_of
from saltern_master.compile.readable import readable_body
from saltern_master.compile.yaml_text import to_yaml


class Format(StrEnum):
    """How bodies are written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class Row(msgspec.Struct, frozen=True):
    """One resource in a table."""

    id: str
    kind: str
    part_of: str
    after: str


def write(values: list[dict[str, Any]], output: Format) -> None:
    """Write plain values, in full, as JSON or YAML."""
    if output is Format.JSON:
        typer.echo(for_terminal(msgspec.json.format(msgspec.json.encode(values)).decode()))
    else:
        typer.echo(to_yaml(values), nl=False)


def body_lines(body: Body) -> list[str]:
    """Give a body's resources as a table, in the order in which they are applied."""
    rows = [
        Row(
            id=printable(one.id),
            kind=str(one.spec.__struct_config__.tag),
            part_of=one.part_of or "-",
            after=" ".join(one.after) or "-",
        )
        for one in body.resources
    ]
    return lines_of(rows, ("id", "kind", "part_of", "after"))


def in_full(body: Body) -> list[dict[str, Any]]:
    """Give a body's resources as plain values."""
    return readable_body(body)
