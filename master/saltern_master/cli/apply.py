"""saltern apply: from a cluster file, or a saved plan, to nodes that are so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saltern_master.api.service import ServiceError
from saltern_master.cli.following import NoWait, Timeout, follow_turn
from saltern_master.cli.listing import Output
from saltern_master.cli.moments import span
from saltern_master.cli.one_file import FileOption, needed_file
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import read_bytes, refusals_told
from saltern_master.cli.remote import HomePath, reach

if TYPE_CHECKING:
    from saltern_master.api.service import TurnView

PLANNED_SECONDS = 900.0
"""How long the answer may take: the nodes are asked again first."""


def apply(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The cluster file, or a saved plan.")
    ] = None,
    named: FileOption = None,
    no_wait: NoWait = False,
    timeout: Timeout = "10m",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Bring all nodes to what a cluster file says, and follow them there.

    A plan that was saved (saltern plan --save) is applied as exactly that, to its nodes alone; if
    anything moved since, nothing is done, and what moved is told.

    With --output json every event is one line of JSON, as it happens.

    Exit status: 0 all well; 1 some node failed, or the plan is stale; 2 the file is wrong; 3 some
    node was not reached, or not all were done in time.
    """
    with refusals_told():
        seconds, path = span(timeout), needed_file(file, named)
        data = read_bytes(path)
        turn = _planned(home, data, path) or reach(home).apply(data)
        follow_turn(reach(home), turn, 0 if no_wait else seconds, output)


def _planned(home: Path, data: bytes, file: Path) -> TurnView | None:
    """Begin to apply a saved plan; None: it is none."""
    from saltern_master.cli.folding import folded_faults
    from saltern_master.cli.saved_plan import is_saved_plan, read_plan

    if not is_saved_plan(data):
        return None
    plan = read_plan(data, str(file))
    from saltern_master.api.plan_requests import Planned

    for name, why in plan.left.items():
        say(f"{name} is not in {file}: {why}")
    say("asking the nodes whether it is still so")
    wanted = Planned(file=plan.cluster_file, expects=plan.expects)
    try:
        return reach(home, PLANNED_SECONDS).apply_planned(wanted)
    except ServiceError as error:
        if error.code != "conflict":
            raise
        raise ServiceError(error.code, str(error), folded_faults(error.faults)) from error
