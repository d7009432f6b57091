"""saltern rollout: bring nodes to a cluster file wave by wave, and stop at the first harm."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from saltern_master.api.rollout_requests import RolloutEvent
from saltern_master.api.rollouts import Action, RolloutView, Steering
from saltern_master.api.service import ServiceError
from saltern_master.cli.following import NoWait
from saltern_master.cli.listing import Output, write, write_line
from saltern_master.cli.login import login
from saltern_master.cli.moments import clock, span, zone
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.cli.rollout_asked import Asked, read
from saltern_master.cli.rollout_following import FOREVER, Manner, follow_to_its_end
from saltern_master.cli.rollout_names import rollout_nodes, rollout_numbers
from saltern_master.cli.rollout_page import page, text_of
from saltern_master.cli.rollout_tables import NO_ROLLOUTS, rollout_lines, show_lines
from saltern_master.cli.rollout_words import (
    OVER,
    choices,
    is_to_go_back,
    not_taken_back,
    status_of,
    summary_line,
)

if TYPE_CHECKING:
    from saltern_master.api.client import Client

app = typer.Typer(
    no_args_is_help=True, help="Bring nodes to a cluster file wave by wave; stop at harm; go back."
)
PLANNED_IN: Final = 600.0  # seconds in which the rollout that takes one back has begun
TALL: Final = 100_000  # lines of a page where nobody's terminal ends
Number = Annotated[
    int,
    typer.Argument(
        metavar="[N]",
        min=0,
        help="Its number; without one: the one that goes on, or the newest.",
        autocompletion=rollout_numbers,
    ),
]
UNTIL = "How long to follow it: 90s, 10m, 1h; without one: until it ends."


@app.command()
def start(
    file: Annotated[
        Path | None,
        typer.Option("-f", "--file", help="The cluster file; without one: that applied last."),
    ] = None,
    target: Annotated[str, typer.Option(help="Which nodes, such as role=worker,zone=a.")] = "",
    strategy: Annotated[
        Path | None, typer.Option(help="A file with the fields below, such as 'canary: 1'.")
    ] = None,
    canary: Annotated[str, typer.Option(help="How many go first: 1 or 5%.")] = "",
    waves: Annotated[str, typer.Option(help="How many are there after each: 10%,30%,100%.")] = "",
    max_unavailable: Annotated[
        list[str] | None,
        typer.Option(help="Of a group that may be away at once: worker=2. Several times."),
    ] = None,
    soak: Annotated[str, typer.Option(help="To look on between two waves: 60s.")] = "",
    budget: Annotated[str, typer.Option(help="How many may fail before it stops: 5%.")] = "",
    on_spent: Annotated[str, typer.Option(help="What then: stop, or undo.")] = "",
    hold: Annotated[str, typer.Option(help="For which a node has to be well: 10s.")] = "",
    patience: Annotated[
        str, typer.Option(help="For a node to apply, and to become well, each: 10m.")
    ] = "",
    absence: Annotated[
        str, typer.Option(help="For which a node may be away in its turn: 2m.")
    ] = "",
    drain: Annotated[str, typer.Option(help="For a node's pods to leave: 5m.")] = "",
    on_drain_timeout: Annotated[
        str, typer.Option(help="Where they do not: pause, force or skip.")
    ] = "",
    probe: Annotated[
        list[str] | None,
        typer.Option(help="A port of each node that has to answer: 8080/healthz. Several times."),
    ] = None,
    queue: Annotated[
        bool, typer.Option("--queue", help="Wait for a rollout that goes on.")
    ] = False,
    no_wait: NoWait = False,
    timeout: Annotated[str, typer.Option(help=UNTIL)] = "",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Bring nodes to a cluster file wave by wave, and follow them there.

    With --output json every event is one line of JSON, as it happens.

    Exit status: 0 all done; 1 it was stopped, aborted or taken back, or some node failed; 2 wrong
    input; 3 it is paused or not done in time, or some node was set aside or skipped.
    """
    options = {
        "canary": canary,
        "soak": soak,
        "budget": budget,
        "on_spent": on_spent,
        "hold": hold,
        "patience": patience,
        "absence": absence,
        "drain": drain,
        "on_drain_timeout": on_drain_timeout,
    }
    with refusals_told():
        several = tuple(max_unavailable or ()), tuple(probe or ())
        ask, seconds = read(
            Asked(file, target, strategy, options, waves, *several, timeout, queue, login())
        )
        client = reach(home)
        view = client.start_rollout(ask)
        for note in view.notes:
            say(f"note: {note}")
        if no_wait:
            _left(view, output)
        else:
            follow_to_its_end(client, view, Manner(output, stays=False, seconds=seconds))


@app.command()
def status(
    number: Number = 0, home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE
) -> None:
    """Show how a rollout stands: its waves, who is in hand, why it waits, what you can do.

    Exit status: as that of start.
    """
    with refusals_told():
        view = reach(home).rollout(number)
        width, height = shutil.get_terminal_size() if sys.stdout.isatty() else (TALL, TALL)
        write(view, output, text_of(page(view, clock(), width, max(12, height - 1))))
        if status_of(view):
            raise typer.Exit(status_of(view))


@app.command()
def watch(
    number: Number = 0,
    timeout: Annotated[str, typer.Option(help=UNTIL)] = "",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Follow a rollout to its end, also while it is paused or stopped, since it may be resumed.

    Exit status: as that of start.
    """
    with refusals_told():
        seconds = float(span(timeout)) if timeout else FOREVER
        client = reach(home)
        view = client.rollout(number)
        follow_to_its_end(client, view, Manner(output, stays=True, seconds=seconds))


@app.command()
def pause(number: Number = 0, home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """Have nothing more begun. Nodes in hand go on to their end."""
    _steer(home, number, "pause", "", output)


@app.command()
def resume(
    number: Number = 0, home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE
) -> None:
    """Let it go on, also beyond the failures that stopped it."""
    _steer(home, number, "resume", "", output)


@app.command()
def abort(number: Number = 0, home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """End it as it is. What is done stays; nodes in hand go on to their end."""
    _steer(home, number, "abort", "", output)


@app.command()
def skip(
    node: Annotated[
        str, typer.Argument(metavar="NODE", help="The node.", autocompletion=rollout_nodes)
    ],
    number: Number = 0,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Go on without a node. It keeps what it has."""
    _steer(home, number, "skip", node, output)


@app.command()
def undo(
    number: Number = 0,
    no_wait: NoWait = False,
    timeout: Annotated[str, typer.Option(help=UNTIL)] = "",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Take a rollout back, by one with the same gates that this follows. One that is over: name it.

    Exit status: as that of start.
    """
    with refusals_told():
        seconds = float(span(timeout)) if timeout else FOREVER
        client = reach(home)
        before = client.rollout(number)
        if not number and before.phase in OVER:
            text = (
                f"cannot undo: rollout {before.rollout} is {before.phase}; to take it back, name "
            )
            raise UsageError(text + f"it: saltern rollout undo {before.rollout}")
        after = client.steer_rollout(before.rollout, Steering(action="undo", by=login()))
        if no_wait:
            _left(after, output)
            return
        begun = _begun(client, after)
        follow_to_its_end(client, begun, Manner(output, stays=False, seconds=seconds))


@app.command("list")
def list_rollouts(
    most: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, the newest.")] = 20,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """List rollouts, the newest first, with who began them."""
    with refusals_told():
        found = reach(home).rollouts(most)
        write(found, output, rollout_lines(found, clock(), zone(), output))
        if not found:
            say(NO_ROLLOUTS)


@app.command()
def show(number: Number = 0, home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """Show all of a rollout: how it was to go, and how far each node is."""
    with refusals_told():
        view = reach(home).rollout(number)
        write(view, output, show_lines(view, clock(), zone()))


def _steer(home: Path, number: int, action: Action, node: str, output: Output) -> None:
    with refusals_told():
        client = reach(home)
        meant = number or client.rollout(0).rollout
        view = client.steer_rollout(meant, Steering(action=action, node=node, by=login()))
        write(view, output, [summary_line(view, clock())])
        for command, meaning in choices(view):
            say(f"  {command}  ({meaning})")


def _left(view: RolloutView, output: Output) -> None:
    """Tell of a rollout that goes on without us."""
    if output is Output.JSON:
        write_line(RolloutEvent(rollout=view))
    else:
        write(view, output, [summary_line(view, clock())])
    how = "it goes on"
    if view.phase == "queued":
        how = "it begins when those before it are over"
    elif is_to_go_back(view):
        how = "it is about to be taken back"
    say(f"{how}; look on: saltern rollout watch {view.undone_by or view.rollout}")


def _begun(client: Client, view: RolloutView) -> RolloutView:
    """Wait for the rollout that takes one back: its nodes are asked first what that means."""
    deadline, waits = time.monotonic() + PLANNED_IN, threading.Event()
    while not view.undone_by:
        if time.monotonic() > deadline:
            text = "cannot follow it: it has not begun yet; see: saltern rollout list"
            raise ServiceError("unavailable", text)
        waits.wait(0.2)
        view = client.rollout(view.rollout)
        if not_taken_back(view):
            raise ServiceError("conflict", f"cannot follow it: {not_taken_back(view)}")
    return client.rollout(view.undone_by)
