"""How a command speaks with the running master: where it is, and what its refusals mean here.

The client is imported when it is needed: --help and what works offline need not wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saltern_master.cli.places import DEFAULT_HOME

if TYPE_CHECKING:
    from saltern_master.api.client import Client

HomePath = Annotated[
    Path, typer.Option("--home", envvar="SALTERN_HOME", help="The running master's directory.")
]


def reach(home: Path, seconds: float | None = None) -> Client:
    """Give the way to the master of this directory. Nothing is asked yet.

    `seconds`: how long an answer may take, where that is not as ever.
    """
    from saltern_master.api.client import SECONDS, Client

    return Client(socket_of(home), SECONDS if seconds is None else seconds)


def socket_of(home: Path) -> Path:
    """Say where a master answers."""
    return home / "run" / "api.sock"


def node_names(context: typer.Context, incomplete: str) -> list[str]:
    """Complete a node's name by asking the master; nothing where it does not answer at once."""
    from saltern_master.api.client import Client
    from saltern_master.errors import MasterError

    home = context.params.get("home") or DEFAULT_HOME
    try:
        nodes = Client(socket_of(Path(home)), seconds=0.5).status().nodes
    except MasterError:
        return []
    return [one.name for one in nodes if one.name.startswith(incomplete)]


NodeName = Annotated[
    str, typer.Argument(metavar="NAME", help="The node.", autocompletion=node_names)
]
