"""saltern drift watch: what is open, and then what comes, until stopped.

It follows first and lists then, so that nothing falls between, and nothing is told twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from msgspec.structs import asdict, replace

from saltern_master.api.drift_requests import DriftFollow, DriftQuery
from saltern_master.api.service import DriftView, ServiceError
from saltern_master.cli.drift_asked import (
    Incident,
    KindName,
    Most,
    NodeOptions,
    NodeWords,
    OfNature,
    Resource,
    Since,
    Wanted,
)
from saltern_master.cli.drift_tables import drift_line
from saltern_master.cli.following import INTERRUPTED
from saltern_master.cli.listing import Output, write, write_line
from saltern_master.cli.moments import clock, zone
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.cli.target_names import Target

if TYPE_CHECKING:
    from saltern_master.api.client import Client


def watch(
    node: NodeWords = None,
    named: NodeOptions = None,
    target: Target = "",
    resource: Resource = "",
    kind: KindName = "",
    nature: OfNature = None,
    since: Since = "",
    incident: Incident = False,
    open_only: Annotated[bool, typer.Option("--open", help="Do not tell of what ends.")] = False,
    most: Most = 1000,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Tell what is open, oldest first, then all that comes, until stopped.

    With --since, all that was recorded from then on comes first. A line for each that begins,
    is otherwise by now, or ends; with --output json a line of JSON, with yaml a document. A target
    means the nodes that it means at the beginning. Exit status: 1 the master stopped; 130
    interrupted.
    """
    wanted = Wanted(node, named, target, resource, kind, nature, since, "", incident)
    with refusals_told():
        watch_drift(reach(home), wanted.query(clock(), zone()), most, open_only, output)


def watch_drift(
    client: Client, query: DriftFollow, most: int, open_only: bool, output: Output
) -> NoReturn:
    """Tell what is there and what comes; typer.Exit when interrupted, ServiceError at the end."""
    try:
        _told(client, query, most, open_only, output)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    text = "cannot watch any further: the master stopped; when it is back, watch again"
    raise ServiceError("unavailable", text)


def _told(client: Client, query: DriftFollow, most: int, open_only: bool, output: Output) -> None:
    first = DriftQuery(**asdict(query), most=most, open=open_only or not query.since)
    with client.follow_drift(replace(query, since="")) as events:
        listed = client.drift(first)
        told = {one.id: one for one in listed}
        for one in reversed(listed):
            _tell(one, output)
        for event in events:
            new = event.drift
            before = told.get(new.id)
            stale = before is not None and (before == new or before.healed > new.healed)
            if not stale and not (open_only and new.healed):
                _tell(new, output)


def _tell(one: DriftView, output: Output) -> None:
    if output is Output.YAML:
        typer.echo("---")
        write(one, output, ())
    elif output is Output.JSON:
        write_line(one)
    else:
        typer.echo(drift_line(one, zone()))
