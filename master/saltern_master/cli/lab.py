"""saltern lab: real nodes on this machine, from the command line.

Results go to standard output, progress and errors to standard error. Exit status 1 means that
it could not be done, and the last line says why; exec and shell give the program's own status.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from ipaddress import IPv4Network
from typing import Annotated

import msgspec
import typer

from saltern_master.errors import MasterError
from saltern_master.lab import Lab, LabError, Network, Status
from saltern_master.lab.layout import DEFAULT_NETWORK

app = typer.Typer(
    no_args_is_help=True,
    help="Real nodes on this machine: Debian systems, booted for trying and testing. Needs root.",
)

Name = Annotated[
    str,
    typer.Option("--lab", envvar="SALTERN_LAB", help="The lab's name; several can be up at once."),
]
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="A node of the lab.")]
_PASS_ON = {"allow_interspersed_args": False, "ignore_unknown_options": True}


class Output(StrEnum):
    """How results are written."""

    TEXT = "text"
    JSON = "json"


@app.command()
def up(
    nodes: Annotated[
        list[str] | None, typer.Argument(help="NAME or NAME=ADDRESS of each node; w1 if none.")
    ] = None,
    lab: Name = "demo",
    bridge: Annotated[
        str, typer.Option(help="The link that the lab makes on this machine.")
    ] = DEFAULT_NETWORK.bridge,
    subnet: Annotated[
        str, typer.Option(help="The nodes' subnet; this machine gets its first address.")
    ] = str(DEFAULT_NETWORK.subnet),
    timeout: Annotated[float, typer.Option(help="Seconds that the nodes have for booting.")] = 90,
) -> None:
    """Boot nodes; add to a lab that is up; bring back what crashed."""
    with _errors_told():
        network = Network(bridge, _subnet(subnet))
        Lab(lab, network).up(nodes or ("w1",), _say, timeout=timeout)


@app.command()
def status(lab: Name = "demo", output: Output = Output.TEXT) -> None:
    """Show the lab's nodes and what state they are in."""
    with _errors_told():
        found = Lab(lab).status()
        if output is Output.JSON:
            typer.echo(msgspec.json.format(msgspec.json.encode(found)))
        else:
            typer.echo("\n".join(lines_of(found)))


@app.command()
def install(
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="NODE", help="Nodes of the lab; all if none.")
    ] = None,
    lab: Name = "demo",
) -> None:
    """Put the agent of this checkout on nodes, as its package will; one that runs is restarted."""
    with _errors_told():
        from saltern_master.lab.install import install_all

        there = Lab(lab)
        install_all(there, nodes or [machine.node.name for machine in there.machines()], _say)


@app.command()
def shell(node: NodeName, lab: Name = "demo") -> None:
    """Open a root shell in a node."""
    with _errors_told():
        Lab(lab).shell(node, os.environ.get("TERM", "linux"))


@app.command("exec", context_settings=_PASS_ON)
def execute(
    node: NodeName,
    argv: Annotated[
        list[str], typer.Argument(metavar="PROGRAM", help="The program and its arguments.")
    ],
    lab: Name = "demo",
) -> None:
    """Run a program in a node, with this terminal's input and output."""
    with _errors_told():
        words = argv[1:] if argv[0] == "--" else argv
        if argv[0].startswith("--lab"):
            raise LabError(f"cannot run {argv[0]} in {node}: options come before the node's name")
        Lab(lab).become(node, words, os.environ.get("TERM", "linux"))


@app.command()
def down(lab: Name = "demo") -> None:
    """Remove the lab: processes, mounts, links, cgroups, disks."""
    with _errors_told():
        Lab(lab).down(_say)


def lines_of(found: Status) -> list[str]:
    """Write a lab's status for a person."""
    width = max((len(node.name) for node in found.nodes), default=0)
    lines = [f"{found.name}: {found.bridge} {found.subnet}; {found.host}"]
    for node in found.nodes:
        failed = f" ({', '.join(node.failed)} failed)" if node.failed else ""
        lines.append(f"  {node.name:{width}}  {node.address:15}  {node.state}{failed}")
    return lines


def _say(line: str) -> None:
    typer.echo(f"lab: {line}", err=True)


def _subnet(text: str) -> IPv4Network:
    try:
        return IPv4Network(text)
    except ValueError as error:
        raise LabError(f"cannot use the subnet {text!r}: {error}") from error


@contextmanager
def _errors_told() -> Iterator[None]:
    try:
        yield
    except MasterError as error:
        typer.echo(f"saltern: {error}", err=True)
        raise typer.Exit(1) from error
