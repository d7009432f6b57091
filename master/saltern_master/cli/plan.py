"""saltern plan: what a cluster file would change, told by the nodes themselves; nothing is done.

* Progress and notes go to standard error, the plan to standard output: as lines, or as one value.
* Exit status: 0 nothing to change; 2 something is; 1 an error, or some node could not be planned;
  130 interrupted. Nothing on any node depends on whether somebody looks.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
import typer
from saltern_protocol.errors import for_terminal

from saltern_master.api.plan_requests import PlanEvent, PlanNodeEvent
from saltern_master.api.plans import NodePlan, PlanView
from saltern_master.cli.folding import folded
from saltern_master.cli.following import INTERRUPTED
from saltern_master.cli.listing import Output as Listing
from saltern_master.cli.listing import write
from saltern_master.cli.moments import span
from saltern_master.cli.new_file import refuse_taken, write_new
from saltern_master.cli.one_file import FileOption, one_file
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.plan_tables import Line, is_quiet, node_line, plan_lines, sum_line
from saltern_master.cli.refusals import read_bytes, refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.cli.saved_plan import saved, to_bytes
from saltern_master.cli.target_names import Target
from saltern_master.cli.waiting import events_until
from saltern_master.errors import MasterError

if TYPE_CHECKING:
    from saltern_master.api.client import Client

CHANGES = 2
Event = PlanNodeEvent | PlanEvent


class Output(StrEnum):
    """How a plan is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


class UnplannedError(MasterError):
    """There is nothing that could be saved."""


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, plan: PlanView, news: NodePlan | None) -> None:
        """Show how far a plan is; `news`: who has just said so."""
        ...


class Lines:
    """Progress as a line for each node."""

    def show(self, plan: PlanView, news: NodePlan | None) -> None:
        """Say what is new."""
        if news is not None:
            say(node_line(news))


def plan(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="The cluster file; else the one applied last."),
    ] = None,
    named: FileOption = None,
    target: Target = "",
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it down, to apply exactly that: saltern apply."),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Every line of every diff.")] = False,
    timeout: Annotated[
        str, typer.Option(help="How long to wait for the nodes: 90s, 10m, 1h.")
    ] = "10m",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Show what a cluster file would change on each node. Nothing is changed.

    With --output json or yaml the whole plan is one value on standard output.

    Exit status: 0 nothing to change; 2 changes; 1 an error, or some node could not be planned.
    """
    with _errors_are_one(), refusals_told():
        seconds, text = span(timeout), _text(one_file(file, named))
        if save is not None:
            refuse_taken(save)
        client = reach(home)
        view = _followed(client, client.plan(text.encode(), target), seconds)
        _write(view, output, full)
        if save is not None:
            _save(view, target, text, save)
        status = status_of(view)
        if status:
            raise typer.Exit(status)


def status_of(view: PlanView) -> int:
    """Give the exit status that a plan means. Pure."""
    if any(one.result != "planned" for one in view.nodes):
        return 1
    return 0 if all(is_quiet(one) for one in view.nodes) else CHANGES


@contextmanager
def _errors_are_one() -> Iterator[None]:
    """Tell every error by 1: 2 says that there are changes."""
    try:
        yield
    except typer.Exit as ended:
        if ended.exit_code == CHANGES and ended.__cause__ is not None:
            raise typer.Exit(1) from ended
        raise


def _text(file: Path | None) -> str:
    if file is None:
        return ""
    data = read_bytes(file)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MasterError(f"cannot read {file}: it is not UTF-8: {error}") from error


def _followed(client: Client, view: PlanView, seconds: float) -> PlanView:
    """Follow a plan to its end, or for so long."""
    for note in view.notes:
        say(f"note: {note}")
    number, deadline = view.plan, time.monotonic() + seconds
    try:
        with _screen() as screen:
            screen.show(view, None)
            events = events_until(lambda: client.follow_plan(number), _is_end, deadline)
            for event in events:
                if isinstance(event, PlanEvent):
                    return event.plan
                view = _with(view, event.node)
                screen.show(view, event.node)
    except KeyboardInterrupt:
        say("interrupted; nothing was changed")
        raise typer.Exit(INTERRUPTED) from None
    return view


def _is_end(event: Event) -> bool:
    return isinstance(event, PlanEvent)


def _with(view: PlanView, news: NodePlan) -> PlanView:
    nodes = tuple(news if one.node == news.node else one for one in view.nodes)
    return msgspec.structs.replace(view, nodes=nodes)


@contextmanager
def _screen() -> Iterator[Screen]:
    """Give the screen that suits whoever looks."""
    if not sys.stderr.isatty():
        yield Lines()
        return
    from saltern_master.cli.plan_live import live_screen

    with live_screen() as screen:
        yield screen


def _write(view: PlanView, output: Output, full: bool) -> None:
    if output is not Output.TABLE:
        write(view, Listing(output.value), ())
        return
    for line in plan_lines(view, full):
        _write_line(line)
    typer.echo(for_terminal(sum_line(view)))


def _write_line(line: Line) -> None:
    """Write a line, in its colour where standard output is a terminal."""
    typer.secho(for_terminal(line.text), fg=line.colour or None)


def _save(view: PlanView, target: str, text: str, path: Path) -> None:
    made = saved(view, target, text)
    if made is None:
        raise UnplannedError(f"cannot save the plan in {path}: no node could be planned")
    write_new(path, to_bytes(made))
    for line in _left_lines(made.left, path):
        say(line)
    say(f"wrote {path}: the plan of {folded(made.nodes)}; for exactly that: saltern apply {path}")


def _left_lines(left: dict[str, str], path: Path) -> Iterable[str]:
    return (f"{name} is not in {path}: {why}" for name, why in left.items())
