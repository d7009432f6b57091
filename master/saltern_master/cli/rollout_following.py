"""A rollout followed to its end, or to where it needs a person.

* Progress goes to standard error, what came of it to standard output; with --output json every
  event is a line on standard output, the rollout as it stands first, and nothing else is.
* It is followed on across the master's own death, and into the rollout that takes it back.
* Exit status: 0 done; 1 stopped, aborted or taken back, or some node failed; 3 paused, not done in
  time, or some node was set aside or skipped; 130 interrupted. It goes on without us.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Final

import typer
from msgspec.structs import replace

from saltern_master.api.rollout_requests import RolloutEvent, RolloutNodeEvent
from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import ServiceError
from saltern_master.cli.following import INTERRUPTED
from saltern_master.cli.listing import Output, write, write_line
from saltern_master.cli.moments import clock
from saltern_master.cli.output import say
from saltern_master.cli.rollout_live import Screen, screen_for
from saltern_master.cli.rollout_tables import trouble_lines
from saltern_master.cli.rollout_words import (
    OVER,
    choices,
    is_to_go_back,
    needs_somebody,
    not_taken_back,
    status_of,
    summary_line,
)

if TYPE_CHECKING:
    from saltern_master.api.client import Client

Event = RolloutEvent | RolloutNodeEvent
SOON: Final = 0.2  # seconds between two looks whether it has begun
AGAIN: Final = 1.0  # seconds between two tries to reach the master
PATIENCE: Final = 300.0  # seconds for a master to come back
FOREVER: Final = float("inf")


@dataclass(frozen=True, slots=True)
class Manner:
    """How to follow. `stays`: also while it waits for a person. `seconds`: for so long."""

    output: Output
    stays: bool
    seconds: float = FOREVER


def follow_to_its_end(client: Client, view: RolloutView, manner: Manner) -> None:
    """Follow a rollout, and the one that takes it back; tell what came of it; exit accordingly."""
    deadline = time.monotonic() + manner.seconds
    status = 0
    try:
        with screen_for(manner.output) as screen:
            view = _followed(client, view.rollout, manner, deadline, screen)
            view = _taken_up(client, view, deadline)
            while view.phase in OVER and view.undone_by:
                status = 1
                screen.note(summary_line(view, clock()))
                view = _followed(client, view.undone_by, manner, deadline, screen)
                view = _taken_up(client, view, deadline)
    except KeyboardInterrupt:
        number = view.rollout
        say(
            f"interrupted; it goes on without us; look on: saltern rollout watch {number}; "
            f"hold it: saltern rollout pause {number}"
        )
        raise typer.Exit(INTERRUPTED) from None
    _tell(view, manner)
    if status or status_of(view):
        raise typer.Exit(status or status_of(view))


def with_event(view: RolloutView, event: Event) -> RolloutView:
    """Give a rollout after an event of its. Pure.

    Events are listened for before the rollout is read, so that none is missed: the first of them
    may tell of what was before, and are passed over. Nodes' times and waves only go on.
    """
    if isinstance(event, RolloutNodeEvent):
        news = event.node
        nodes = tuple(
            news if one.node == news.node and news.since >= one.since else one for one in view.nodes
        )
        return replace(view, nodes=nodes)
    if event.rollout.wave < view.wave and event.rollout.phase not in OVER:
        return view
    return event.rollout if event.rollout.nodes else replace(event.rollout, nodes=view.nodes)


def _tell(view: RolloutView, manner: Manner) -> None:
    """Tell what came of it, and what can be done."""
    if manner.output is not Output.JSON:
        write(view, manner.output, trouble_lines(view))
    say(summary_line(view, clock()))
    if view.phase not in OVER and not needs_somebody(view):
        number = view.rollout
        say(f"it is not done yet; it goes on without us; look on: saltern rollout watch {number}")
    for command, meaning in choices(view):
        say(f"  {command}  ({meaning})")


def _followed(
    client: Client, number: int, manner: Manner, deadline: float, screen: Screen
) -> RolloutView:
    """Follow one rollout until it is over, or time is, or a person is needed who is not here."""
    view: RolloutView | None = None
    for event in _events(client, number, deadline, screen):
        if event is None:
            if view is not None:
                view = _asked_again(client, view)
                screen.quiet(view)
            continue
        if manner.output is Output.JSON:
            write_line(event)
        before, view = view, _after(view, event)
        if before is not None and before.phase == "queued" != view.phase:
            view = _asked_again(client, view)  # who has part in it is known by now
        screen.show(before, view)
        if _is_over(view) or (needs_somebody(view) and not manner.stays):
            return view
    return view or client.rollout(number)


def _taken_up(client: Client, view: RolloutView, deadline: float) -> RolloutView:
    """Wait for the one that takes it back, whoever wanted that: its nodes are asked first."""
    waits = threading.Event()
    while view.phase in OVER and is_to_go_back(view) and not not_taken_back(view):
        if time.monotonic() > deadline:
            break
        waits.wait(SOON)
        view = _asked_again(client, view)
    return view


def _asked_again(client: Client, view: RolloutView) -> RolloutView:
    """Give a rollout as it stands now, or as it was known where the master is away."""
    try:
        return client.rollout(view.rollout)
    except ServiceError:
        return view


def _after(view: RolloutView | None, event: Event) -> RolloutView:
    if view is not None:
        return with_event(view, event)
    if isinstance(event, RolloutEvent):
        return event.rollout
    raise AssertionError("the rollout itself is read first")


def _is_over(view: RolloutView) -> bool:
    """Tell whether this is the last word: over, and with the nodes as they ended."""
    return view.phase in OVER and (bool(view.nodes) or not view.total)


def _events(client: Client, number: int, deadline: float, screen: Screen) -> Iterator[Event | None]:
    """Give events until the time ends; None where nothing has happened for long.

    They are read apart, so that time can end. What the reader says of itself is a note.
    """
    read: queue.SimpleQueue[Event | ServiceError | str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(client, number, read), daemon=True).start()
    while (left := deadline - time.monotonic()) > 0:
        try:
            item = read.get(timeout=min(left, screen.quiet_after))
        except queue.Empty:
            yield None
            continue
        if isinstance(item, ServiceError):
            raise item
        if isinstance(item, str):
            screen.note(item)
        else:
            yield item


def _read(client: Client, number: int, into: queue.SimpleQueue[Event | ServiceError | str]) -> None:
    """Read events into a queue, again and again while the master is away."""
    since = time.monotonic()
    while True:
        try:
            with client.follow_rollout(number) as events:
                first = RolloutEvent(rollout=client.rollout(number))
                for event in chain((first,), events):
                    into.put(event)
                    since = time.monotonic()
                    if isinstance(event, RolloutEvent) and _is_over(event.rollout):
                        return
        except ServiceError as error:
            if error.code != "unavailable" or time.monotonic() - since > PATIENCE:
                into.put(error)
                return
        into.put("the master does not answer; the rollout goes on when it is back")
        threading.Event().wait(AGAIN)
