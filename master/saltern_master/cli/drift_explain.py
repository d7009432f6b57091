"""saltern drift explain: everything that is known of one drift."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from saltern_master.api.drifts import DriftPage
from saltern_master.api.service import ServiceError
from saltern_master.cli.drift_asked import drift_ids
from saltern_master.cli.drift_page import page_lines
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import zone
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, refusals_told
from saltern_master.cli.remote import HomePath, reach
from saltern_master.named import no_such_node

if TYPE_CHECKING:
    from saltern_master.api.client import Client


def explain(
    drift: Annotated[
        str,
        typer.Argument(metavar="ID", help="NODE:NUMBER, as lists show.", autocompletion=drift_ids),
    ],
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Tell all of one drift: when, seen how, by whom, what, why it stays, and what comes next."""
    with refusals_told():
        found = _found(reach(home), drift)
        write(found, output, page_lines(found, zone()))


def _found(client: Client, drift: str) -> DriftPage:
    """Ask for it; UsageError where there is not even its node."""
    try:
        return client.one_drift(drift)
    except ServiceError as error:
        node = drift.partition(":")[0]
        if error.code != "not-found" or _is_there(client, node):
            raise
        names = (one.name for one in client.status().nodes)
        text = f"cannot look for the drift {drift}: {no_such_node([node], names)}"
        raise UsageError(text) from error


def _is_there(client: Client, node: str) -> bool:
    try:
        client.node(node)
    except ServiceError as error:
        if error.code != "not-found":
            raise
        return False
    return True
