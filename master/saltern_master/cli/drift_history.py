"""saltern drift history: what was not as declared, newest first, as the master keeps it."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec.structs import asdict

from saltern_master.api.drift_requests import DriftQuery
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
from saltern_master.cli.drift_tables import drift_lines
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import clock, zone
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.cli.target_names import Target


def history(
    node: NodeWords = None,
    named: NodeOptions = None,
    target: Target = "",
    resource: Resource = "",
    kind: KindName = "",
    nature: OfNature = None,
    since: Since = "",
    until: Until = "",
    incident: Incident = False,
    open_only: Annotated[bool, typer.Option("--open", help="Only what has not ended.")] = False,
    most: Most = 100,
    before: Annotated[
        str, typer.Option(metavar="ID", help="Only what is older than this one: the next page.")
    ] = "",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """List what was not as declared, newest first, with the nodes' own times."""
    wanted = Wanted(node, named, target, resource, kind, nature, since, until, incident)
    with refusals_told():
        query = asdict(wanted.query(clock(), zone()))
        asked = DriftQuery(**query, open=open_only, most=most, before=before)
        found = reach(home).drift(asked)
        write(found, output, drift_lines(found, zone(), output))
        if len(found) == most:
            say(f"older ones: --before {found[-1].id}")
