"""saltern-agent: the only place that reads arguments and the environment, and wires the parts.

Exit codes: 0 all well (plan: nothing to change); 1 an error, or not converged; 2 wrong usage
(plan: there is something to change); 3 a preseeded join that another try does not mend; 4 run:
this machine is no node.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from saltern_protocol.errors import for_terminal
from saltern_states.ports import HostError

from saltern_agent import __version__, commands
from saltern_agent.places import Places, SettingsError

USAGE = 2
Add = Callable[[str, commands.Command, str], argparse.ArgumentParser]
"""Adds a command: its name, what runs it, and what it does, in a line."""


def main() -> None:
    """Run one command."""
    os.umask(0o077)  # whoever started us: what is made without a mode of its own is ours alone
    arguments = parser().parse_args()
    try:
        code = arguments.command(_places(arguments), arguments)
    except (SettingsError, HostError, commands.CommandError) as error:
        print(f"saltern-agent: {for_terminal(str(error))}", file=sys.stderr)  # noqa: T201
        code = 1
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # who read us has read enough; Python would tell it once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def _places(arguments: argparse.Namespace) -> Places:
    root = Path(arguments.root).resolve()
    if not root.is_dir():
        raise SettingsError(f"cannot use --root {root}: it is no directory; make it")
    return Places(
        Path(arguments.config or root / "etc/saltern"),
        Path(arguments.state or root / "var/lib/saltern"),
        Path(arguments.run or root / "run/saltern"),
        root,
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def parser() -> argparse.ArgumentParser:
    """Give the parser of the command line; manual and completions are made of it too."""
    top = argparse.ArgumentParser(
        prog="saltern-agent",
        description="Brings this node to its declared state and keeps it there.",
        epilog="Exit codes: 0 well; 1 error or not converged; 2 usage, or plan: there are changes; "
        "3 join-preseeded: no try would help; 4 run: this machine is no node.",
    )
    top.add_argument(
        "--version",
        action="version",
        version=f"saltern-agent {__version__}",
        help="show the version and exit",
    )
    top.add_argument(
        "--root", default="/", help="hold the files below this directory, and nothing else"
    )
    top.add_argument("--config", help="identity and keys (etc/saltern below the root)")
    top.add_argument("--state", help="journal and blobs (var/lib/saltern below the root)")
    top.add_argument("--run", help="control socket (run/saltern below the root)")
    which = top.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, run: commands.Command, text: str) -> argparse.ArgumentParser:
        sub = which.add_parser(name, help=text, description=text)
        sub.set_defaults(command=run)
        return sub

    _add_belonging(command)  # in this order help lists them
    _add_statements(command)
    _add_holding(command)
    return top


def _add_belonging(command: Add) -> None:
    """Whose node this is."""
    sub = command("pin", commands.pin, "tell this node who it is and which root it trusts")
    sub.add_argument("file", type=Path, metavar="IDENTITY")
    sub = command("join", commands.join, "become a node of the master that a token names")
    sub.add_argument(
        "token",
        metavar="TOKEN",
        help="the token; @FILE reads it from a file, - from standard input: what stands in a "
        "command line can be seen by every user of this machine",
    )
    _add_wait(sub)
    sub.add_argument(
        "--again",
        action="store_true",
        help="also on a machine that is a node already and holds something, or is another one; "
        "what stands there is left, what it knew is put aside",
    )
    sub = command(
        "join-preseeded",
        commands.join_preseeded,
        "join once by the token in etc/saltern/join.token, and remove it; a unit runs it at boot",
    )
    _add_wait(sub)
    sub = command("master", commands.master, "know the master by another link key from now on")
    sub.add_argument("key", metavar="curve25519:...", help="as saltern key rotate link prints it")


def _add_statements(command: Add) -> None:
    """What this node shall be: of what it is made, shown beforehand, accepted."""
    command("facts", commands.facts, "print the facts that compile needs, as JSON")
    sub = command("plan", commands.plan, "show what a statement would change; changes nothing")
    sub.add_argument("file", type=Path, nargs="?", metavar="STATEMENT")
    _add_blobs(sub)
    sub.add_argument("--diff", action="store_true", help="show files' content, before and after")
    _add_output(sub)
    sub = command("apply", commands.apply, "accept a statement and bring the node to it")
    sub.add_argument("file", type=Path, metavar="STATEMENT")
    _add_blobs(sub)
    _add_output(sub)


def _add_holding(command: Add) -> None:
    """The node is held to it, without end; and what came of that."""
    command("run", commands.run, "hold the node to the accepted statement, without end")
    _add_output(command("status", commands.status, "show how things stand"))
    sub = command("drift", commands.drift, "show what drifted, newest first")
    sub.add_argument("--diff", action="store_true", help="show the lines that differ")
    sub.add_argument("--most", type=_count, default=20, help="how many at most (%(default)s)")
    _add_output(sub)
    _add_output(
        command("doctor", commands.doctor, "name the traps that stand open on this machine")
    )
    command("revert", commands.revert, "take back what was not confirmed in time; a timer runs it")
    command("look", commands.look, "have the running agent look at everything now")


def _add_wait(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "--wait",
        type=_count,
        default=600,
        metavar="SECONDS",
        help="for an answer or an operator's approval, at most (%(default)s)",
    )


def _add_blobs(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--blobs", type=Path, help="directory with contents by SHA-256")


def _add_output(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--output", "-o", choices=("text", "json"), default="text")


if __name__ == "__main__":
    main()
