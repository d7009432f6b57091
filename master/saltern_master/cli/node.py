"""saltern node: which machines are nodes, and how they become and cease to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from saltern_protocol.terms import Name

from saltern_master.api.service import NodeView
from saltern_master.cli.following import NoWait, Timeout, follow_turn
from saltern_master.cli.listing import Output, write
from saltern_master.cli.moments import clock, moment, span, zone
from saltern_master.cli.new_file import refuse_taken, write_new
from saltern_master.cli.node_add import add
from saltern_master.cli.output import say
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, refusals_told
from saltern_master.cli.remote import HomePath, NodeName, reach
from saltern_master.cli.tables import NO_NODES, node_lines, node_page, token_lines
from saltern_master.cli.target_names import Target
from saltern_master.cli.target_tables import NOBODY, explained_lines

app = typer.Typer(no_args_is_help=True, help="The cluster's machines: tokens, approval, removal.")
app.command()(add)
FAILED = 1


@app.command()
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the node shall be called.")],
    node_class: Annotated[
        str, typer.Option("--class", help="What policy lets it be: worker or control-plane …")
    ] = "worker",
    ttl: Annotated[str, typer.Option(help="How long it can be used: 90s, 15m, 12h, 2d.")] = "1h",
    approval: Annotated[
        bool,
        typer.Option("--approval", help="Put no secret in it; you approve the machine yourself."),
    ] = False,
    file: Annotated[
        Path | None,
        typer.Option("--write", metavar="FILE", help="Into this new file, mode 0600."),
    ] = None,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Make a token with which one machine can become this node, once.

    With --write nothing of it is on standard output.
    """
    with refusals_told():
        _refuse_strange(name)
        if file is not None:
            refuse_taken(file)
        client = reach(home)
        from saltern_master.api.requests import NewToken

        wanted = NewToken(node=name, node_class=node_class, seconds=span(ttl), approval=approval)
        made = client.make_token(wanted)
        if file is None:
            write(made, output, [made.token])
        else:
            write_new(file, f"{made.token}\n".encode())
            say(f"wrote {file}")
        say(f"it can be used until {moment(made.expires, clock(), zone())}; on {name}, run:")
        say(f"  saltern-agent join {'TOKEN' if file is None else f'- < {file.name}'}")
        if approval:
            say("then here, with what it prints:")
            say(f"  saltern node approve {name} FINGERPRINT")


@app.command()
def tokens(home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List the tokens that can still be used. None is shown again."""
    with refusals_told():
        client = reach(home)
        found = client.tokens()
        write(found, output, token_lines(found, clock(), zone()))


@app.command("list")
def list_nodes(
    target: Target = "",
    explain: Annotated[
        bool, typer.Option("--explain", help="List all, each with why the target means it or not.")
    ] = False,
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """List the nodes, or those that a target means.

    Terms of a target, with commas for "and": NAME or a glob, role=, class=, state=, connected,
    release=, kernel=, arch=, os=, memory= …, and every label (label.KEY=). Operators: = != < <=
    > >=, ! for "not", | for "or" between values.
    """
    with refusals_told():
        if explain and not target:
            text = "cannot explain: --explain says why a target means each node; give a --target"
            raise UsageError(text)
        client = reach(home)
        found = client.nodes(target, explain) if target else client.status().nodes
        write(found, output, _listed(found, target, explain, output))
        if not found:
            say(NOBODY if target and not explain else NO_NODES)


def _listed(found: tuple[NodeView, ...], target: str, explain: bool, output: Output) -> list[str]:
    """Give the lines of a list: explained where that was asked for, or there is room."""
    if not target:
        return node_lines(found, clock(), output)
    if explain:
        return explained_lines(found)
    lines = node_lines(found, clock(), output)
    return [*lines, "", *explained_lines(found)] if output is Output.WIDE and found else lines


@app.command()
def show(name: NodeName, home: HomePath = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """Show all that is known of a node."""
    with refusals_told():
        client = reach(home)
        found = client.node(name)
        write(found, output, node_page(found, clock(), zone()))


@app.command()
def approve(
    name: NodeName,
    fingerprint: Annotated[str, typer.Argument(help="As the machine itself prints it.")],
    home: HomePath = DEFAULT_HOME,
) -> None:
    """Let a machine in that came without a secret."""
    with refusals_told():
        client = reach(home)
        client.approve(name, fingerprint)
        say(f"{name} is a node now")


@app.command()
def revoke(name: NodeName, home: HomePath = DEFAULT_HOME) -> None:
    """Stop listening to a node, at once. It keeps what it has; a new token lets it join anew."""
    with refusals_told():
        client = reach(home)
        client.revoke(name)
        say(f"nothing that {name} says is heard any more; it keeps what stands on it")


@app.command()
def unlock(name: NodeName, home: HomePath = DEFAULT_HOME) -> None:
    """Listen to a locked node again, once one machine alone has its key."""
    with refusals_told():
        client = reach(home)
        client.unlock(name)
        say(f"{name} is heard again; it comes back within two minutes")


@app.command()
def remove(
    name: NodeName,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for the name again.")] = False,
    clean: Annotated[
        bool,
        typer.Option(
            "--clean/--forget",
            help="Take back what stands on it first; or forget it at once, and leave that there.",
        ),
    ] = True,
    no_wait: NoWait = False,
    timeout: Timeout = "10m",
    home: HomePath = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Drain a node, take back what stands on it, and forget it: its agent has no cluster then.

    A revoked or locked one is forgotten at once, since nothing that it says is heard.

    Exit status: 0 done; 1 it failed; 2 the name was not confirmed; 3 not done in time.
    """
    with refusals_told():
        client = reach(home)
        seconds = span(timeout)
        _say_weight(client.node(name))
        if not yes and typer.prompt(f"Type {name} to remove it", err=True) != name:
            raise UsageError(f"cannot remove {name}: another name was typed; nothing was done")
        try:
            follow_turn(client, client.remove(name, not clean), 0 if no_wait else seconds, output)
        except typer.Exit as ended:
            if ended.exit_code == FAILED:
                say(f"{name} is still being removed: mend that, and say the same again; or leave")
                say(f"what stands there: saltern node remove {name} --forget")
            raise


def _say_weight(node: NodeView) -> None:
    """Say before a removal what goes with a node that others live by."""
    own = [role for role in ("control-plane", "etcd") if role in node.roles]
    if own:
        say(f"{node.name} is {' and '.join(own)}: the Kubernetes cluster goes with it")


def _refuse_strange(name: str) -> None:
    """Refuse what is no name before the master does, in words for who typed it."""
    try:
        msgspec.convert(name, Name)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"cannot name a node {name!r}: small letters, digits, dashes and dots, 63 at most, "
            "with a letter or a digit at both ends"
        ) from error
