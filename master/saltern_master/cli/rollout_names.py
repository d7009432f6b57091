"""Shell completion of rollouts and their nodes, by asking the master; nothing without it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.remote import socket_of

if TYPE_CHECKING:
    from saltern_master.api.client import Client


def rollout_numbers(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a rollout's number."""
    from saltern_master.errors import MasterError

    try:
        found = _asked(context).rollouts(50)
    except MasterError:
        return []
    return [str(one.rollout) for one in found if str(one.rollout).startswith(incomplete)]


def rollout_nodes(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a node of the rollout that goes on: one that can be skipped."""
    from saltern_master.errors import MasterError

    try:
        nodes = _asked(context).rollout(0).nodes
    except MasterError:
        return []
    open_ones = (one.node for one in nodes if one.stage not in ("done", "skipped"))
    return [name for name in open_ones if name.startswith(incomplete)]


def _asked(context: typer.Context) -> Client:
    from saltern_master.api.client import Client

    home = context.params.get("home") or DEFAULT_HOME
    return Client(socket_of(Path(home)), seconds=0.5)
