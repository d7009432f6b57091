"""saltern node add: machines become nodes by the operator's own ssh, several at once.

* Progress goes to standard error, each machine with a line of its own; what became of them to
  standard output.
* Exit status: 0 all are nodes; 1 some could not be made one; 2 the command line is wrong, and
  nothing was done; 3 some were not reached; 130 interrupted. The same command goes on where one
  ended: who is a node already stays as it is.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saltern_master.cli.following import INTERRUPTED
from saltern_master.cli.listing import Output, columns, write
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, refusals_told
from saltern_master.cli.remote import HomePath, reach

if TYPE_CHECKING:
    from saltern_master.joining.adding import Added

HEAD = ("node", "machine", "result", "seconds", "package")


def add(
    machines: Annotated[
        list[str],
        typer.Argument(
            metavar="[NAME=]HOST...",
            help="As your ssh knows them: HOST, USER@HOST. NAME: of the node, where it is another.",
        ),
    ],
    ssh: Annotated[
        bool, typer.Option("--ssh", help="Go there by your own ssh: its keys, its known hosts.")
    ] = False,
    node_class: Annotated[
        str, typer.Option("--class", help="What policy lets them be: worker or control-plane …")
    ] = "worker",
    package: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A package of the agent, or a directory of them; several times. Else the "
            "library's releases.",
        ),
    ] = None,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Make machines nodes: look at them, install the agent, let it join, see it come.

    It asks nobody: ssh has to get in with a key, as root or as one who may do all by sudo without
    a password. Again on a node it changes nothing. Exit status: 0 all are nodes; 1 some could not
    be made one; 3 some were not reached.
    """
    with refusals_told():
        if not ssh:
            raise UsageError(
                "cannot add machines: say how they are reached (--ssh); to carry a token there "
                "yourself: saltern node token NAME"
            )
        try:
            added = _added(machines, node_class, package or [], home, output)
        except KeyboardInterrupt:
            say("interrupted; the same command goes on where this one ended")
            raise typer.Exit(INTERRUPTED) from None
    if status := status_of(added):
        raise typer.Exit(status)


def _added(
    words: Sequence[str], node_class: str, given: Sequence[Path], home: Path, output: Output
) -> tuple[Added, ...]:
    """Add the machines, and tell what became of them."""
    from saltern_master.cli.adding_screen import screen
    from saltern_master.joining.adding import Around
    from saltern_master.joining.crowd import add_all
    from saltern_master.joining.hosts import HostsError, read_machines
    from saltern_master.joining.packages import NoPackagesError, packages_at, packages_of
    from saltern_master.joining.ssh import OpenSsh
    from saltern_master.library import Library

    try:
        machines = read_machines(words)
        packages = packages_at(given) if given else packages_of(Library(home))
    except (HostsError, NoPackagesError) as error:
        raise UsageError(str(error)) from error
    client = reach(home)
    whole = client.status()
    with screen(machines) as shown:
        around = Around(
            ssh=OpenSsh(),
            master=client,
            cluster=whole.cluster,
            known={one.name: one for one in whole.nodes},
            packages=packages,
            node_class=node_class,
            monotonic=time.monotonic,
            pause=time.sleep,
            tell=shown.step,
        )
        added = add_all(machines, around, shown.ended)
    write(added, output, columns(HEAD, map(_row, added)))
    for line in told(added):
        say(line)
    strangers = [one.name for one in added if is_one(one) and not client.node(one.name).address]
    if strangers:
        say(
            f"not in the applied cluster file yet: {', '.join(strangers)}; write them into it, and:"
        )
        say("  saltern apply FILE")
    return added


def told(added: Sequence[Added]) -> list[str]:
    """Say of each machine that is no node why, and what is left of the attempt. Pure."""
    lines = []
    for one in added:
        if not is_one(one):
            lines.append(f"cannot add {one.name} ({one.host}): {one.why}")
            if one.left:
                lines.append(f"  left: {one.left}")
    if lines:
        lines.append("the same command tries again; who is a node already stays as it is")
    return lines


def status_of(added: Sequence[Added]) -> int:
    """Give the exit status. Pure."""
    results = {one.result for one in added}
    if "failed" in results:
        return 1
    return 3 if "unreached" in results else 0


def is_one(added: Added) -> bool:
    """Tell whether a machine is a node now."""
    return added.result in ("added", "already")


def _row(one: Added) -> tuple[str, ...]:
    return one.name, one.host, one.result, f"{one.seconds:.1f}", one.package
