"""A program's commands and options, as its own parser says: what manual and completion are made of.

Two readers, of argparse and of Typer, give the same frozen values. Both sides of a page are then
of one source: an option that the program does not take cannot be in its manual.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer
from typer.main import get_command


@dataclass(frozen=True, slots=True)
class Term:
    """An argument or an option."""

    names: tuple[str, ...]  # of an option; none: an argument
    shown: str  # as a page shows it: "--output {text,json}, -o"
    text: str
    takes: bool  # a value
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Command:
    """A program, or one of its commands."""

    path: tuple[str, ...]  # ("saltern", "node", "add")
    usage: str  # what follows the path
    summary: str
    about: tuple[str, ...]  # paragraphs, without the summary
    closing: str
    terms: tuple[Term, ...]
    commands: tuple[Command, ...]

    @property
    def name(self) -> str:
        """Give its own name."""
        return self.path[-1]


def of_argparse(parser: argparse.ArgumentParser, summary: str) -> Command:
    """Read a parser of argparse's; argparse has no public way to ask it."""
    path = tuple(parser.prog.split())
    usage = " ".join(parser.format_usage().split()).removeprefix("usage: ")
    terms, commands = [], []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            lines = {one.dest: one.help or "" for one in action._choices_actions}
            commands = [of_argparse(sub, lines[name]) for name, sub in action.choices.items()]
        else:
            terms.append(_of_action(action, parser.prog))
    return Command(
        path=path,
        usage=usage.removeprefix(" ".join(path)).strip(),
        summary=summary,
        about=tuple(one for one in (parser.description,) if one and one != summary),
        closing=parser.epilog or "",
        terms=tuple(terms),
        commands=tuple(commands),
    )


def _of_action(action: argparse.Action, prog: str) -> Term:
    takes = action.nargs != 0
    choices = tuple(str(one) for one in action.choices or ())
    value = str(action.metavar or ("{" + ",".join(choices) + "}" if choices else ""))
    value = value or (action.dest.upper() if action.option_strings else action.dest)
    names = tuple(sorted(action.option_strings, key=len))
    shown = ", ".join(names) + (f" {value}" if takes else "") if names else value
    text = (action.help or "") % {**vars(action), "prog": prog}
    return Term(names, shown, text, takes, choices)


def of_typer(app: typer.Typer, name: str) -> Command:
    """Read an application of Typer's."""
    return _of_click(get_command(app), None, name)


def _of_click(command: Any, above: Any, name: str) -> Command:  # noqa: ANN401 - Typer's own click
    context = command.context_class(command, info_name=name, parent=above)
    paragraphs = _paragraphs(command.help or "")
    below = [command.get_command(context, one) for one in _listed(command, context)]
    return Command(
        path=tuple(context.command_path.split()),
        usage=" ".join(command.collect_usage_pieces(context)),
        summary=paragraphs[0].removesuffix(".") if paragraphs else "",
        about=paragraphs[1:],
        closing=" ".join((command.epilog or "").split()),
        terms=tuple(_terms(command, context)),
        commands=tuple(_of_click(one, context, one.name) for one in below if not one.hidden),
    )


def _listed(command: Any, context: Any) -> list[str]:  # noqa: ANN401 - Typer's own click
    return list(command.list_commands(context)) if hasattr(command, "list_commands") else []


def _terms(command: Any, context: Any) -> Iterator[Term]:  # noqa: ANN401 - Typer's own click
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is None:  # hidden
            continue
        option = param.param_type_name == "option"
        names = (*param.opts, *param.secondary_opts) if option else ()
        takes = not (option and (param.is_flag or param.count))
        yield Term(tuple(names), record[0], " ".join(record[1].split()), takes)


def _paragraphs(text: str) -> tuple[str, ...]:
    """Split a docstring as Typer shows it: what follows a form feed is for programmers."""
    shown = text.partition("\f")[0].strip()
    return tuple(" ".join(one.split()) for one in shown.split("\n\n") if one.strip())
