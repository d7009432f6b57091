"""saltern status: how the whole stands."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import typer

from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import ClusterView
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import clock
from saltern_master.cli.part_tables import is_bad
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.cli.rollout_words import OVER, status_line
from saltern_master.cli.tables import WELL, alarm_lines, cluster_lines

NEWEST: Final = 10  # rollouts to look at: queued ones are newer than the one that goes on


def status(home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """Show how the cluster and every node stand.

    Exit status: 0 all well; 1 an alarm, or some node is not as declared, or has a part that is
    bad; 3 some node is not connected, or not yet where it shall be.
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
    if view.alarms or any(one.health not in WELL or one.drift or is_bad(one) for one in nodes):
        return 1
    return 3 if any(not one.connected or one.version < one.wanted for one in nodes) else 0
