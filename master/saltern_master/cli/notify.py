"""saltern notify: who is told by webhook and e-mail, and whether that works."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import typer

from saltern_master.api.notices import NotifyView, ReceiverView, TriedView, TroubleView
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import ago, clock
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, reach

SETTLES = "the master has only just begun to look"

app = typer.Typer(no_args_is_help=True, help="Who is told by webhook and e-mail.")


@app.command("list")
def list_(home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """Show who is told, how that goes, and what is wrong as far as it was or will be told.

    Exit status: 0 all are told; 1 some receiver does not take what it is told, or the settings
    have faults.
    """
    with refusals_told():
        found = reach(home).notifications()
        write(found, output, list(lines_of(found, clock())))
        if found.faults or any(one.failing for one in found.receivers):
            raise typer.Exit(1)


@app.command("test")
def trial(
    receiver: Annotated[
        str, typer.Argument(metavar="RECEIVER", help="Of the settings; all, if not given.")
    ] = "",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Send a test message, and say what came back.

    Exit status: 0 all took it; 1 some did not; 2 the settings have faults.
    """
    with refusals_told():
        tried = reach(home).test_notifications(receiver)
        write(tried, output, [tried_line(one) for one in tried])
        if not all(one.taken for one in tried):
            raise typer.Exit(1)


def tried_line(one: TriedView) -> str:
    """Give what came of a test. Pure."""
    return f"{one.receiver}: {'taken' if one.taken else 'NOT TAKEN'}: {one.said}"


def lines_of(view: NotifyView, now: float) -> Iterator[str]:
    """Give the list for people. Pure."""
    if view.faults:
        yield from (view.faults, "")
    if not view.receivers:
        yield f"nobody is told: {view.settings} names no receiver"
    for one in view.receivers:
        yield _receiver(one, now)
    if view.receivers and view.settled > now:
        yield f"nothing is told for another {math.ceil(view.settled - now)} s: {SETTLES}"
    elif view.receivers and not view.troubles:
        yield "nothing to tell; what is wrong for a moment only, too: saltern status"
    for trouble in view.troubles:
        yield from _trouble(trouble, now)


def _receiver(one: ReceiverView, now: float) -> str:
    only = f", of {', '.join(one.only)}" if one.only else ""
    waiting = f"; {one.waiting} wait" if one.waiting else ""
    dropped = f"; {one.dropped} were given up" if one.dropped else ""
    taken = f"took one {ago(one.taken, now)}" if one.taken else "took none yet"
    how = f"FAILS, first {ago(one.failing, now)}: {one.why}" if one.failing else taken
    return f"{one.name} ({one.by} {one.to}{only}): {how}{waiting}{dropped}"


def _trouble(one: TroubleView, now: float) -> Iterator[str]:
    name = " ".join(part for part in (one.event, one.word, one.node, one.subject) if part)
    told = f"told {ago(one.told, now)}" if one.told else "not told yet"
    gone = f", gone {ago(one.gone, now)}" if one.gone else ""
    yield f"{name}: began {ago(one.since, now)}, {told}{gone}"
    yield f"  {one.why}"
    yield f"  {one.remedy}"
