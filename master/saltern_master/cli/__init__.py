"""saltern: the command line of the master.

Results go to standard output, progress, notes and errors to standard error.
Exit statuses: 0 done; 1 it could not be done, or (status, drift) something is not as declared;
2 the command line or a file that a person wrote is wrong (every fault is told); 3 some node was
not reached, or not all were done in time.
plan alone: 0 nothing to change; 2 something is; 1 every error.
"""

from __future__ import annotations

from typing import Annotated

import typer

from saltern_master.cli.lazy import Row, group_of

HERE = __name__
COMMANDS = (
    Row("init", f"{HERE}.cluster", "init"),
    Row("master", f"{HERE}.master"),
    Row("node", f"{HERE}.node"),
    Row("adopt", f"{HERE}.adopt", "adopt"),
    Row("plan", f"{HERE}.plan", "plan", wrong=1),  # 2: there is something to change
    Row("apply", f"{HERE}.apply", "apply"),
    Row("status", f"{HERE}.status", "status"),
    Row("drift", f"{HERE}.drift"),
    Row("doctor", f"{HERE}.doctor", "doctor"),
    Row("rollout", f"{HERE}.rollout"),
    Row("notify", f"{HERE}.notify"),
    Row("kubeconfig", f"{HERE}.kubeconfig", "kubeconfig"),
    Row("policy", f"{HERE}.cluster", "policy"),
    Row("key", f"{HERE}.key"),
    Row("compile", f"{HERE}.cluster", "compile_file"),
    Row("sign", f"{HERE}.cluster", "sign"),
    Row("show", f"{HERE}.show", "show_file"),
    Row("binaries", f"{HERE}.binaries"),
    Row("images", f"{HERE}.images"),
    Row("packages", f"{HERE}.packages"),
    Row("releases", f"{HERE}.releases"),
    Row("blobs", f"{HERE}.blobs"),
    Row("bundle", f"{HERE}.bundle"),
    Row("backup", f"{HERE}.backup", "backup"),
    Row("restore", f"{HERE}.backup", "restore"),
    Row("lab", f"{HERE}.lab"),
)

app = typer.Typer(
    cls=group_of(COMMANDS),
    no_args_is_help=True,
    rich_markup_mode=None,  # what a person wrote is text, never markup
    pretty_exceptions_enable=False,
    help="Turns bare Linux machines into a Kubernetes cluster and holds them there.",
    epilog="Exit status: 0 done; 1 it could not be done, or some node failed; 2 the command "
    "line or a file of yours is wrong; 3 some node was not reached, or not all is done in time.",
)


def _tell_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version  # no other command needs it at once

        typer.echo(f"saltern {version('saltern-master')}")
        raise typer.Exit


@app.callback()
def group(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_tell_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Have commands and do nothing without one."""


def main() -> None:
    """Run the command that the arguments name."""
    app()
