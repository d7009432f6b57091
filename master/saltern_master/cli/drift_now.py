"""saltern drift: what is open now, newest first."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import asdict

from saltern_master.api.drift_requests import DriftQuery
from saltern_master.cli.drift import commands_meant
from saltern_master.cli.drift_asked import (
    Incident,
    KindName,
    Most,
    NodeOptions,
    NodeWords,
    OfNature,
    Resource,
    Since,
    Until,
    Wanted,
)
from saltern_master.cli.drift_tables import open_lines
from saltern_master.cli.drift_watch import watch_drift
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import clock, zone
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.cli.target_names import Target


def now(
    node: NodeWords = None,
    named: NodeOptions = None,
    target: Target = "",
    resource: Resource = "",
    kind: KindName = "",
    nature: OfNature = None,
    since: Since = "",
    until: Until = "",
    incident: Incident = False,
    open_only: Annotated[
        bool,
        typer.Option("--open", help="It is so anyway; with --follow: do not tell of what ends."),
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Then tell what comes, as `watch` does.")
    ] = False,
    most: Most = 1000,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Show what is open now, newest first: what `saltern drift` alone does.

    Exit status: 0 nothing is; 1 something is.
    """
    wanted = Wanted(node, named, target, resource, kind, nature, since, until, incident)
    with refusals_told(), commands_meant(node or []):
        query = wanted.query(clock(), zone())
        if follow:
            watch_drift(reach(home), query, most, open_only, output)
        found = reach(home).drift(DriftQuery(**asdict(query), open=True, most=most))
        write(found, output, open_lines(found, clock(), zone(), output))
        if len(found) == most:
            say(f"there may be more than these {most}; see more with --most")
        if found:
            raise typer.Exit(1)
