"""Pages of the manual out of a program's commands: pure, in the language of man(7).

One page for the program, and one for each of its groups of commands, named as git names its
own: saltern-node(1). A page says nothing that the program's --help does not say, but for the
files and the pages that are named at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from saltern_build.programs import Command, Term


@dataclass(frozen=True, slots=True)
class Frame:
    """What all pages of a program have in common."""

    section: str
    moment: datetime
    version: str
    files: tuple[tuple[str, str], ...]  # path and what it is
    also: tuple[str, ...]  # pages: "saltern-agent(8)"


def pages(program: Command, frame: Frame) -> dict[str, str]:
    """Give the text of every page, by its file's name."""
    groups = [one for one in program.commands if one.commands]
    wanted = (program, *groups)
    return {f"{_page(one)}.{frame.section}": _text(one, wanted, frame) for one in wanted}


def _page(command: Command) -> str:
    return "-".join(command.path)


def _text(command: Command, wanted: Iterable[Command], frame: Frame) -> str:
    name, date = _page(command), frame.moment.strftime("%Y-%m-%d")
    head = f'.TH {name.upper()} {frame.section} {date} "saltern {frame.version}" "Saltern"'
    return "\n".join((head, *_body(command, tuple(wanted), frame))) + "\n"


def _body(command: Command, wanted: tuple[Command, ...], frame: Frame) -> Iterator[str]:
    yield from ('.SH NAME', f"{plain(_page(command))} \\- {plain(command.summary)}")  # fmt: skip
    yield from (".SH SYNOPSIS", *_usage(command))
    yield ".SH DESCRIPTION"
    yield from _paragraphs((f"{command.summary.removesuffix('.')}.", *command.about))
    yield from _terms(".SH OPTIONS", command.terms)
    if command.commands:
        yield ".SH COMMANDS"
        for one in command.commands:
            yield from _command(one, wanted, frame.section)
    if command.closing:
        title, _, text = command.closing.partition(": ")
        status = text if title.startswith("Exit") else command.closing
        yield from (".SH EXIT STATUS", plain(status[:1].upper() + status[1:]))
    if frame.files:
        yield ".SH FILES"
        for path, text in frame.files:
            yield from (".TP", f".I {plain(path)}", plain(text))
    pages = {f"{_page(one)}({frame.section})" for one in wanted if one.path != command.path}
    yield from (".SH SEE ALSO", plain(", ".join(sorted({*pages, *frame.also}))))


def _command(command: Command, wanted: tuple[Command, ...], section: str) -> Iterator[str]:
    """Tell of one command in its program's page, or where it is told of."""
    yield f".SS {plain(' '.join(command.path[1:]))}"
    if command.path in [one.path for one in wanted]:
        yield plain(f"{command.summary}: see {_page(command)}({section}).")
        return
    yield from _usage(command)
    yield ".PP"
    yield from _paragraphs((f"{command.summary.removesuffix('.')}.", *command.about))
    yield from _terms("", [one for one in command.terms if "--help" not in one.names])
    for below in command.commands:
        yield from _command(below, wanted, section)


def _usage(command: Command) -> Iterator[str]:
    yield f".B {plain(' '.join(command.path))}"
    if command.usage:
        yield plain(command.usage)


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if number:
            yield ".PP"
        yield plain(text[:1].upper() + text[1:])


def _terms(title: str, terms: Iterable[Term]) -> Iterator[str]:
    for number, term in enumerate(terms):
        if title and not number:
            yield title
        yield from (".TP", f".B {plain(term.shown)}", plain(term.text) or "\\&")


def plain(text: str) -> str:
    """Write text so that nothing in it is a command or a ligature of the formatter's."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    ascii_ = "".join(one if one.isascii() else f"\\[u{ord(one):04X}]" for one in escaped)
    return f"\\&{ascii_}" if ascii_.startswith((".", "'")) else ascii_
