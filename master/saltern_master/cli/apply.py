"""saltern apply: from a cluster file to nodes that are so."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saltern_master.cli.following import NoWait, Timeout, follow_turn
from saltern_master.cli.listing import Output
from saltern_master.cli.moments import span
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import read_bytes, refusals_told
from saltern_master.cli.remote import HomePath, reach


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The cluster file.")],
    no_wait: NoWait = False,
    timeout: Timeout = "10m",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Bring all nodes to what a cluster file says, and follow them there.

    With --output json every event is one line of JSON, as it happens.

    Exit status: 0 all well; 1 some node failed; 2 the file is wrong; 3 some node was not
    reached, or not all were done in time.
    """
    with refusals_told():
        seconds, text = span(timeout), read_bytes(file)
        client = reach(home)
        follow_turn(client, client.apply(text), 0 if no_wait else seconds, output)
