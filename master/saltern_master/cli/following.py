"""A turn followed to its end: live lines where a person looks, plain ones else, NDJSON on request.

* Progress goes to standard error, what came of it to standard output; with --output json every
  event is a line on standard output and nothing else is.
* Exit status: 0 all well; 1 some node failed; 3 some node was not reached, or is not done in
  time; 130 interrupted. What was begun goes on without us.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Protocol

import msgspec
import typer

from saltern_master.api.requests import NodeEvent, TurnEvent
from saltern_master.api.service import ServiceError, TurnNode, TurnView
from saltern_master.cli.listing import Output, write, write_line
from saltern_master.cli.output import say
from saltern_master.cli.quiet import Quiet, waits_line
from saltern_master.cli.tables import standing_line, summary_line, turn_lines
from saltern_master.cli.waiting import events_until

if TYPE_CHECKING:
    from saltern_master.api.client import Client

FAILED = frozenset({"failed", "blocked", "refused", "expired"})
WELL = frozenset({"converged", "changed"})
INTERRUPTED = 130  # 128 and SIGINT, as shells have it
NoWait = Annotated[bool, typer.Option("--no-wait", help="Begin it and leave.")]
Timeout = Annotated[str, typer.Option(help="How long to wait for the nodes: 90s, 10m, 1h.")]
Event = NodeEvent | TurnEvent


class Screen(Protocol):
    """Where progress is shown."""

    def show(self, nodes: Iterable[TurnNode], news: TurnNode | None) -> None:
        """Show how the nodes stand; `news` is what changed."""
        ...


class Lines:
    """Progress as lines, one for each thing that happens."""

    def show(self, nodes: Iterable[TurnNode], news: TurnNode | None) -> None:
        """Say what is new."""
        if news is not None:
            say(standing_line(news))


class Silence:
    """No progress: standard output has every event."""

    def show(self, nodes: Iterable[TurnNode], news: TurnNode | None) -> None:
        """Show nothing."""


def follow_turn(client: Client, turn: TurnView, seconds: float, output: Output) -> None:
    """Follow a turn for so long (0: not at all), tell what came of it, and exit accordingly."""
    told = turn.notes
    _say_notes(told)
    if seconds:
        try:
            turn = _followed(client, turn, seconds, output)
        except KeyboardInterrupt:
            say("interrupted; it goes on without us; see: saltern status")
            raise typer.Exit(INTERRUPTED) from None
    _say_notes(note for note in turn.notes if note not in told)
    if output is Output.JSON:
        if not seconds:
            write_line(TurnEvent(turn=turn))
    else:
        write(turn, output, turn_lines(turn) if seconds else [summary_line(turn)])
    if not seconds:
        say("it goes on; see: saltern status")
        return
    say(summary_line(turn))
    status = status_of(turn)
    if not turn.ended:
        say(f"not all are done after {seconds:g} s; it goes on without us; see: saltern status")
    if status:
        raise typer.Exit(status)


def _say_notes(notes: Iterable[str]) -> None:
    for note in notes:
        say(f"note: {note}")


def status_of(turn: TurnView) -> int:
    """Give the exit status that a turn means. Pure."""
    results = {one.result for one in turn.nodes}
    if results & FAILED:
        return 1
    return 0 if results <= WELL and turn.ended else 3


def _followed(client: Client, turn: TurnView, seconds: float, output: Output) -> TurnView:
    with _screen(output) as screen:
        screen.show(turn.nodes, None)
        number, deadline = turn.turn, time.monotonic() + seconds
        quiet = Quiet(time.monotonic)

        def idle() -> None:
            if isinstance(screen, Lines) and quiet.is_due():
                _say_who(client, turn)

        for event in events_until(lambda: client.follow_turn(number), _is_end, deadline, idle):
            quiet.heard()
            if output is Output.JSON:
                write_line(event)
            if isinstance(event, TurnEvent):
                return event.turn
            turn = _with(turn, event.node)
            screen.show(turn.nodes, event.node)
    return turn


def _say_who(client: Client, turn: TurnView) -> None:
    """Say who is waited for, and who of them is away as far as the master tells."""
    connected: frozenset[str] | None
    try:
        connected = frozenset(one.name for one in client.status().nodes if one.connected)
    except ServiceError:
        connected = None
    if line := waits_line(turn.nodes, connected):
        say(line)


def _is_end(event: Event) -> bool:
    return isinstance(event, TurnEvent)


def _with(turn: TurnView, news: TurnNode) -> TurnView:
    nodes = tuple(news if one.node == news.node else one for one in turn.nodes)
    return msgspec.structs.replace(turn, nodes=nodes)


@contextmanager
def _screen(output: Output) -> Iterator[Screen]:
    """Give the screen that suits whoever looks."""
    if output is Output.JSON:
        yield Silence()
    elif not sys.stderr.isatty():
        yield Lines()
    else:
        from saltern_master.cli.live import live_screen

        with live_screen() as screen:
            yield screen
