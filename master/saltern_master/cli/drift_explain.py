"""saltern drift explain: everything that is known of one drift."""

from __future__ import annotations

from typing import Annotated

import typer

from saltern_master.cli.drift_asked import drift_ids
from saltern_master.cli.drift_page import page_lines
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import zone
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import refusals_told
from saltern_master.cli.remote import HomePath, reach


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
        found = reach(home).one_drift(drift)
        write(found, output, page_lines(found, zone()))
