"""saltern drift now: what is open, newest first."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saltern_master.api.service import DriftView, ServiceError
from saltern_master.cli.listing import Output, write, write_line
from saltern_master.cli.moments import zone
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, node_names, reach
from saltern_master.cli.tables import drift_line, drift_lines


def now(
    node: Annotated[
        str, typer.Argument(metavar="[NODE]", help="Only of this one.", autocompletion=node_names)
    ] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only what has not ended.")] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Then tell what comes, until stopped.")
    ] = False,
    most: Annotated[
        int, typer.Option(min=1, max=10_000, help="At most so many, the newest.")
    ] = 100,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """List what was found not to be as declared, newest first, with the nodes' own times.

    With --follow: oldest first, then what comes; with --output json a line of JSON for each.
    """
    with refusals_told():
        if follow:
            _follow(home, node, most, open_only, output)
            return
        found = reach(home).drift(node, most, open_only)
        write(found, output, drift_lines(found, zone(), output))


def _follow(home: Path, node: str, most: int, open_only: bool, output: Output) -> None:
    """Follow first and list then, so that nothing falls between and nothing is told twice."""
    client = reach(home)
    with client.follow_drift(node) as events:
        listed = client.drift(node, most, open_only)
        told = {(one.node, one.number): one for one in listed}
        for one in reversed(listed):
            _tell(one, output)
        for event in events:
            new = event.drift
            before = told.get((new.node, new.number))
            stale = before is not None and (before == new or before.healed > new.healed)
            if not stale and not (open_only and new.healed):
                _tell(new, output)
    text = "cannot follow any further: the master stopped; when it is back, follow again"
    raise ServiceError("unavailable", text)


def _tell(one: DriftView, output: Output) -> None:
    if output in (Output.JSON, Output.YAML):
        write_line(one)
    else:
        typer.echo(drift_line(one, zone()))
