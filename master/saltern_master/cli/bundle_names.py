"""What the commands of saltern bundle are given: a file that is there, and whose it shall be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saltern_master.bundle.head import refuse_names
from saltern_master.bundle.manifest import BundleError
from saltern_master.cli.refusals import FileError, UsageError

FilePath = Annotated[Path, typer.Argument(metavar="FILE", help="The bundle.")]
SignerNames = Annotated[
    list[str] | None,
    typer.Option(
        "--signer",
        metavar="FINGERPRINT",
        help="Whose signature must be on it, as its maker told you; may be repeated: all of them.",
    ),
]


def key_names(texts: list[str] | None) -> list[str]:
    """Give names that can be those of keys; UsageError for all that cannot."""
    try:
        refuse_names(texts or ())
    except BundleError as error:
        raise UsageError(str(error)) from error
    return texts or []


def refuse_absent(file: Path) -> None:
    """FileError where there is no such file."""
    try:
        if not file.is_file():
            raise FileError(f"cannot read {file}: there is no such file")
    except OSError as error:  # who may not look there, for one
        raise FileError(f"cannot read {file}: {error.strerror}") from error
