"""saltern adopt: a node that hands or kubeadm have made, described as it is, then held.

Two steps, and nothing is changed by the first: it reads the node, writes a cluster file that
describes it, and asks the node for the plan of that. The second (--take) asks once more, and takes
the node over where there are still 0 changes.
"""

from __future__ import annotations

import time
from ipaddress import IPv4Interface
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from saltern_protocol.reading import AnyFact, LinkFact

from saltern_master.api.plan_requests import PlanEvent, Planned, PlanNodeEvent
from saltern_master.api.plans import Expected, NodePlan
from saltern_master.api.service import ServiceError
from saltern_master.cli.adopt_page import as_declared, found_lines, moved, plan_told
from saltern_master.cli.following import follow_turn
from saltern_master.cli.listing import Output
from saltern_master.cli.moments import span
from saltern_master.cli.new_file import refuse_taken, write_new
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError, UsageError, read_bytes, refusals_told
from saltern_master.cli.remote import HomePath, NodeName, reach
from saltern_master.cli.waiting import events_until

if TYPE_CHECKING:
    from saltern_master.adopt.part import Part
    from saltern_master.api.client import Client
    from saltern_master.api.surveys import SurveyView

ROUNDS: Final = 3
"""How often a part may be made without what its plan would change, before a person has to look."""
PODS: Final = "10.10.0.0/16"


def adopt(
    node: NodeName,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="The cluster file that the node is put into."
        ),
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Where to; NODE-adopted.yaml if not given."),
    ] = None,
    take: Annotated[
        bool, typer.Option("--take", help="Take it over as --file has it, if nothing would change.")
    ] = False,
    address: Annotated[
        str, typer.Option(metavar="ADDRESS", help="The node's, where its uplink has another.")
    ] = "",
    kubernetes: Annotated[
        str, typer.Option(metavar="VERSION", help="For a new file, where the node tells none.")
    ] = "",
    timeout: Annotated[str, typer.Option(help="How long to wait for the node: 90s, 10m.")] = "10m",
    home: HomePath = DEFAULT_HOME,
) -> None:
    """Describe a node as hands made it, show that nothing would change, and only then hold it.

    Exit status: 0 described, or taken over; 1 it could not be, or something would be changed;
    2 the command line or the file is wrong; 3 it was not reached, or not done in time.
    """
    with refusals_told():
        client, seconds = reach(home), span(timeout)
        if take:
            _take(client, node, _text(file), seconds)
            return
        out = write or Path(f"{node}-adopted.yaml")
        refuse_taken(out)
        base = _text(file) if file is not None else _no_base(client)
        _describe(client, node, base, _Words(address, kubernetes), out, seconds)


class _Words:
    """What a person says of a node that it does not say itself."""

    def __init__(self, address: str, kubernetes: str) -> None:
        self.address, self.kubernetes = address, kubernetes


def _describe(
    client: Client, node: str, base: str, words: _Words, out: Path, seconds: float
) -> None:
    # Imported here: what is read and compiled of a cluster file is slow to import.
    from saltern_master.adopt.describe import describe, without

    say(f"{node} reads itself; nothing is changed there")
    view = client.survey(node)
    part = describe(view, words.address)
    if not part.address:
        raise UsageError(f"cannot tell the address of {node} by its uplink; give --address")
    for _ in range(ROUNDS):
        text = _with(client, base, part, view, words.kubernetes)
        plan = _planned(client, text, node, seconds)
        changes = moved(plan)
        if not changes:
            break
        part = without(part, changes)
    write_new(out, text.encode())
    for line in found_lines(part, plan, out):
        typer.echo(line)
    if not as_declared(plan):
        raise typer.Exit(1)


def _take(client: Client, node: str, text: str, seconds: float) -> None:
    """Take a node over as a file has it, where its plan is empty; else say what would change."""
    plan = _planned(client, text, node, seconds)
    if not as_declared(plan):
        for line in plan_told(plan):
            typer.echo(line)
        raise ServiceError(
            "conflict",
            f"cannot take {node} over: something would be changed; nothing was. Either it is no "
            "longer as it was read: read it again by saltern adopt; or another group of the file "
            "matches it too: narrow that; or mean it: saltern apply",
        )
    expects = {node: Expected(body=plan.body, digest=plan.digest)}
    turn = client.apply_planned(Planned(file=text, expects=expects))
    follow_turn(client, turn, seconds, Output.TABLE)


def _planned(client: Client, text: str, node: str, seconds: float) -> NodePlan:
    """Give the node's own plan of a file; ServiceError where there is none in time."""
    view = client.plan(text.encode(), f"name={node}")
    deadline = time.monotonic() + seconds
    number = view.plan
    for event in events_until(lambda: client.follow_plan(number), _is_end, deadline):
        if isinstance(event, PlanEvent):
            view = event.plan
    plan = next((one for one in view.nodes if one.node == node), None)
    if plan is None:
        raise ServiceError("invalid", f"cannot plan {node}: the file does not name it")
    if plan.result != "planned":
        raise ServiceError("unavailable", f"cannot plan {node}: {plan.result}: {plan.why}")
    return plan


def _is_end(event: PlanNodeEvent | PlanEvent) -> bool:
    return isinstance(event, PlanEvent)


def _with(client: Client, base: str, part: Part, view: SurveyView, kubernetes: str) -> str:
    """Give the cluster file with the part; a whole new one where there is none yet."""
    from saltern_master.adopt.insert import inserted
    from saltern_master.adopt.text import whole_lines
    from saltern_master.adopt.wording import told_version

    if base:
        return inserted(base, part)
    version = kubernetes or told_version(view.facts)
    if not version:
        raise UsageError(f"cannot tell the version of Kubernetes of {part.node}; give --kubernetes")
    lines = whole_lines(client.status().cluster, version, _pods(view.facts), part)
    return "\n".join(lines) + "\n"


def _pods(facts: tuple[AnyFact, ...]) -> str:
    """Give a range that holds the node's own pods, as far as its bridge tells."""
    for one in facts:
        if isinstance(one, LinkFact) and one.name == "cbr0" and one.addresses:
            try:
                network = IPv4Interface(one.addresses[0]).network
            except ValueError:
                continue
            return str(network.supernet(new_prefix=16) if network.prefixlen > 16 else network)
    return PODS


def _no_base(client: Client) -> str:
    """Begin a new file where none was applied yet."""
    revision = client.status().revision
    if revision:
        raise UsageError(
            f"cannot put the node into no file: revision {revision} was applied; give its file "
            "with --file"
        )
    return ""


def _text(file: Path | None) -> str:
    if file is None:
        raise UsageError("cannot take a node over without the file that describes it; give --file")
    try:
        return read_bytes(file).decode()
    except UnicodeDecodeError as error:
        raise FileError(f"cannot read {file}: it is not UTF-8: {error}") from error
