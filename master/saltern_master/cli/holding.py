"""saltern drift hold, release, holds: whose drift is told and left alone, and until when."""

from __future__ import annotations

from typing import Annotated

import typer
from saltern_protocol.terms import MOST_HELD

from saltern_master.cli.hold_tables import before_lines, holds_lines, made_lines, released_lines
from saltern_master.cli.listing import Output, write
from saltern_master.cli.login import login
from saltern_master.cli.moments import SpanError, clock, span, zone
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, refusals_told
from saltern_master.cli.remote import HomePath, node_names, reach
from saltern_master.cli.target_names import Target

LONGEST_WHY = 200
NOBODY = "nobody is held, and there is no maintenance window"

Nodes = Annotated[
    list[str] | None,
    typer.Argument(metavar="NODE", help="These nodes.", autocompletion=node_names),
]


def hold(
    nodes: Nodes = None,
    target: Target = "",
    for_: Annotated[
        str, typer.Option("--for", help="How long: 90s, 15m, 2h, 3d; seven days at most.")
    ] = "",
    why: Annotated[str, typer.Option("--why", help="What for, in a line: others read it.")] = "",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Work on nodes: their drift is told and left alone for so long. What is applied is applied.

    What was held by hand before is held by the new word. Drift that is left when the hold ends is
    set right then.
    """
    with refusals_told():
        seconds = _read(nodes or [], target, for_, why)
        from saltern_master.api.holds import LONGEST_BY, HoldAsk

        ask = HoldAsk(
            nodes=tuple(nodes or ()),
            target=target,
            seconds=seconds,
            why=why.strip(),
            by=login()[:LONGEST_BY],
        )
        made = reach(home).hold(ask)
        write(made, output, made_lines(made, clock(), zone()))
        for line in before_lines(made, zone()):
            say(line)


def release(
    nodes: Nodes = None,
    target: Target = "",
    everybody: Annotated[
        bool, typer.Option("--all", help="All that a person holds, whoever it was.")
    ] = False,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Hold nodes no longer: what is not as declared there is set right now. Windows stay."""
    with refusals_told():
        _one_way("release", bool(nodes), bool(target.strip()), everybody)
        from saltern_master.api.holds import ReleaseAsk

        asked = ReleaseAsk(nodes=",".join(nodes or ()), target=target, all=everybody)
        released = reach(home).release(asked)
        write(released, output, released_lines(released, clock(), zone()))
        if not released:
            say("no person holds any of them")


def holds(home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List who is held by a person, and the windows: those that are open, and the next."""
    with refusals_told():
        found = reach(home).holds()
        write(found, output, holds_lines(found, clock(), zone(), output))
        if not found.holds and not found.windows:
            say(NOBODY)


def _read(nodes: list[str], target: str, for_: str, why: str) -> int:
    """Give for how many seconds; UsageError tells all that is wrong."""
    faults: list[str] = []
    seconds = 0
    try:
        _one_way("hold", bool(nodes), bool(target.strip()))
    except UsageError as error:
        faults.append(str(error))
    try:
        seconds = span(for_) if for_ else 0
    except SpanError as error:
        faults.append(str(error))
    else:
        if not for_:
            faults.append("--for is missing: how long, such as 90s, 15m, 2h or 3d")
        elif seconds > MOST_HELD:
            faults.append(f"--for {for_} is too long: {MOST_HELD // 86400} days at most")
    faults += _wrong_why(why)
    if faults:
        count = f"{len(faults)} fault{'s' if len(faults) > 1 else ''}"
        raise UsageError("\n  ".join([f"cannot hold anybody: {count}", *faults]))
    return seconds


def _wrong_why(why: str) -> list[str]:
    text = why.strip()
    if not text:
        return ["--why is missing: what you do there, in a line"]
    if len(text) > LONGEST_WHY or not text.isprintable():
        return [f"--why is one line of {LONGEST_WHY} characters at most"]
    return []


def _one_way(verb: str, *ways: bool) -> None:
    if sum(ways) != 1:
        how = "name nodes, or give --target" + (", or --all" if verb == "release" else "")
        text = "nobody is named" if not any(ways) else "named in two ways"
        raise UsageError(f"cannot tell whom to {verb}: {text}; {how}")
