"""saltern bundle: one signed file with all that a cluster file needs, for where no internet is."""

from __future__ import annotations

from typing import Final

import typer

from saltern_master.cli.lazy import Row, group_of

HERE: Final = "saltern_master.cli"
COMMANDS: Final = (
    Row("create", f"{HERE}.bundle_making", "create"),
    Row("sign", f"{HERE}.bundle_making", "sign"),
    Row("key", f"{HERE}.bundle_making", "show_key"),
    Row("verify", f"{HERE}.bundle_reading", "verify"),
    Row("show", f"{HERE}.bundle_reading", "show"),
    Row("import", f"{HERE}.bundle_taking", "import_file"),
    Row("signers", f"{HERE}.bundle_taking", "list_signers"),
    Row("forget", f"{HERE}.bundle_taking", "forget"),
)

app = typer.Typer(
    cls=group_of(COMMANDS),
    no_args_is_help=True,
    help="What a cluster file needs, carried to where no internet is.",
)


@app.callback()
def group() -> None:
    """Have commands and do nothing without one."""
