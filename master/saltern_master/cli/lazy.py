"""Commands that are imported when they are asked for.

`saltern status` need not wait for what `saltern lab` stands on. The table says where each
command is; only --help, which shows every command's own line, imports them all.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from copy import copy
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


@dataclass(frozen=True, slots=True)
class Row:
    """A command's name, the function or the group that it is, and its status for wrong usage."""

    name: str
    module: str
    attribute: str = "app"
    wrong: int = 2


class Commands(MutableMapping[str, Any]):
    """A table as what Typer looks commands up in. Nothing can be added to it."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - Typer's own command or group
        return made(self._rows[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __setitem__(self, name: str, command: object) -> NoReturn:
        raise TypeError("the table of commands is fixed")

    def __delitem__(self, name: str) -> NoReturn:
        raise TypeError("the table of commands is fixed")


def made(row: Row) -> Any:  # noqa: ANN401 - Typer's own command or group
    """Import a command and make it what Typer runs."""
    found = getattr(import_module(row.module), row.attribute)
    holder = typer.Typer(rich_markup_mode=None, add_completion=False)
    if isinstance(found, typer.Typer):
        holder.add_typer(_plain(found), name=row.name)
    else:
        holder.command(row.name, cls=ends_with(row.wrong))(found)
    return get_group(holder).commands[row.name]


class PlainCommand(TyperCommand):
    """A command whose usage names what it needs as it is written, without Typer's braces."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - Typer's own context
        """Give the parts of the usage line: NAME for what is needed, [NAME] for what may be."""
        return [_plainly(piece) for piece in super().collect_usage_pieces(ctx)]


USAGE: Final[type[Exception]] = typer.BadParameter.__mro__[1]
"""All that is wrong usage; Typer has no name of its own for it."""


def ends_with(status: int) -> type[PlainCommand]:
    """Give the class of a command that ends with this status where it is not called rightly."""

    class EndingCommand(PlainCommand):
        """A command for which 2 may mean something else."""

        def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - click's own
            """Read the arguments."""
            try:
                return super().parse_args(ctx, args)
            except USAGE as error:
                error.exit_code = status  # type: ignore[attr-defined] # Typer ends with it
                raise

    return EndingCommand


_NO_BRACES = str.maketrans("", "", "{}")


def _plainly(piece: str) -> str:
    """Write what may be repeated as such once: Typer adds its own dots to those of the name."""
    piece = piece.translate(_NO_BRACES)
    if piece.startswith("[[") and piece.endswith("...]..."):
        return piece[1:].removesuffix("]...")
    return piece.replace("......", "...")


def _plain(found: typer.Typer) -> typer.Typer:
    """Give a group of plain commands; the module's own stays as it is."""
    group = copy(found)
    group.registered_commands = []
    for info in found.registered_commands:
        plain = copy(info)
        plain.cls = PlainCommand
        group.registered_commands.append(plain)
    return group


def group_of(rows: tuple[Row, ...]) -> type[TyperGroup]:
    """Give the class of a group that has these commands."""

    class LazyGroup(TyperGroup):
        """A group whose commands are imported one by one."""

        def __init__(self, **attributes: Any) -> None:  # noqa: ANN401 - handed on
            super().__init__(**attributes)
            self.commands = Commands(rows)

    return LazyGroup
