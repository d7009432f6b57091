"""saltern: the command line of the master.

Results go to standard output, progress, notes and errors to standard error.
Exit statuses: 0 done; 1 it could not be done; 2 the command line or a file that a person
wrote is wrong (every fault is told); 3 some node was not reached, or not all were done in time.
"""

from __future__ import annotations

import typer

from saltern_master.cli import (
    apply,
    binaries,
    blobs,
    cluster,
    images,
    kubeconfig,
    lab,
    master,
    node,
    packages,
    show,
    status,
)

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,  # what a person wrote is text, never markup
    pretty_exceptions_enable=False,
    help="Turns bare Linux machines into a Kubernetes cluster and holds them there.",
)
app.command("init")(cluster.init)
app.add_typer(master.app, name="master")
app.add_typer(node.app, name="node")
app.command("apply")(apply.apply)
app.command("status")(status.status)
app.command("drift")(status.drift)
app.command("kubeconfig")(kubeconfig.kubeconfig)
app.command("policy")(cluster.policy)
app.command("compile")(cluster.compile_file)
app.command("sign")(cluster.sign)
app.command("show")(show.show_file)
app.add_typer(binaries.app, name="binaries")
app.add_typer(images.app, name="images")
app.add_typer(packages.app, name="packages")
app.add_typer(blobs.app, name="blobs")
app.add_typer(lab.app, name="lab")


def main() -> None:
    """Run the command that the arguments name."""
    app()
