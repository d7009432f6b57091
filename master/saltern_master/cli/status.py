"""saltern status and saltern drift: how the whole stands, and what was not as declared."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import typer

from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import ClusterView, DriftView, ServiceError
from saltern_master.cli.listing import Output, write, write_line
from saltern_master.cli.moments import clock, zone
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, node_names, reach
from saltern_master.cli.rollout_words import OVER, status_line
from saltern_master.cli.tables import WELL, alarm_lines, cluster_lines, drift_line, drift_lines

NEWEST: Final = 10  # rollouts to look at: queued ones are newer than the one that goes on


def status(home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """Show how the cluster and every node stand.

    Exit status: 0 all well; 1 an alarm, or some node is not as declared; 3 some node is not
    connected, or not yet where it shall be.
    """
    with refusals_told():
        client = reach(home)
        found = client.status()
        alarms = alarm_lines(found.alarms, clock())
        rolling = rolling_lines(client.rollouts(NEWEST), clock())
        write(found, output, [*alarms, *rolling, *cluster_lines(found, clock(), output)])
        means = status_of(found)
        if means:
            raise typer.Exit(means)


def rolling_lines(found: Iterable[RolloutView], now: float) -> list[str]:
    """Give the rollout that goes on as a line; nothing where none does. Pure."""
    lines = [
        status_line(one, now) for one in found if one.phase not in OVER and one.phase != "queued"
    ]
    return [*lines, ""] if lines else []


def status_of(view: ClusterView) -> int:
    """Give the exit status that a cluster's state means. Pure."""
    nodes = [one for one in view.nodes if one.state in ("joined", "removing")]
    if view.alarms or any(one.health not in WELL or one.drift for one in nodes):
        return 1
    return 3 if any(not one.connected or one.version < one.wanted for one in nodes) else 0


def drift(
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
