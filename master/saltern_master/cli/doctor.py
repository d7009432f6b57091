"""saltern doctor: the traps that stand open, in the cluster file, on nodes, and between them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec.structs import replace

from saltern_master.api.findings import FindingsView, noted_views
from saltern_master.api.service import ServiceError
from saltern_master.cli.doctor_page import doctor_lines, silent
from saltern_master.cli.faults import faults_told
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import clock
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, read_bytes
from saltern_master.cli.remote import HomePath, node_names, reach
from saltern_master.named import no_such_node


def doctor(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NODE]...", help="Only these.", autocompletion=node_names),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "-f",
            metavar="CLUSTER.YAML",
            help="Look at this file in place of the one that was applied last; it needs no master.",
        ),
    ] = None,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Name the traps that stand open, each with what to do: in the file, on nodes, between nodes.

    What nodes told last is shown at once; on a node, saltern-agent doctor looks anew.
    Exit status: 0 no trap (notes are none); 1 a trap; 2 the file is wrong; 3 no trap, and some node
    could not be asked.
    """
    with faults_told():
        found = _found(home, file)
        chosen = only(found, nodes or [])
        write(chosen, output, doctor_lines(chosen, file))
        means = status_of(chosen)
        if means:
            raise typer.Exit(means)


def status_of(view: FindingsView) -> int:
    """Give the exit status that what was found means. Pure."""
    noted = [one.finding for one in (*view.file, *view.between)]
    if any(finding.bad for finding in (*noted, *(f for one in view.nodes for f in one.findings))):
        return 1
    return 3 if silent(view) else 0


def only(view: FindingsView, names: list[str]) -> FindingsView:
    """Keep what is about these nodes; all for no name. UsageError: there is no such node. Pure."""
    known = {one.node for one in view.nodes}
    about = {name for one in (*view.file, *view.between) for name in one.nodes}
    lacking = [name for name in names if name not in known | about]
    if lacking and known:
        raise UsageError(f"cannot look at {no_such_node(lacking, known)}")
    if not names:
        return view
    chosen = frozenset(names)
    return replace(
        view,
        file=tuple(one for one in view.file if chosen.intersection(one.nodes)),
        between=tuple(one for one in view.between if chosen.intersection(one.nodes)),
        nodes=tuple(one for one in view.nodes if one.node in chosen),
    )


def _found(home: Path, file: Path | None) -> FindingsView:
    """Ask the master; with a file of one's own, also where none runs."""
    if file is None:
        return reach(home).findings()
    # Imported here: the master itself has read the file that was applied.
    from saltern_master.cluster.load import load
    from saltern_master.doctor.file import file_traps

    traps = noted_views(file_traps(load(read_bytes(file)).cluster))
    try:
        return replace(reach(home).findings(), file=traps)
    except ServiceError as error:
        if error.code != "unavailable":
            raise
        say("no master answers, so no node was asked")
        return FindingsView(now=clock(), revision=0, file=traps, between=(), nodes=())
