"""saltern bundle verify and show: what is in a bundle, and all that is wrong with it. No home."""

from __future__ import annotations

from pathlib import Path

import typer

from saltern_master.bundle.manifest import BundleError
from saltern_master.bundle.reading import faults_of, opened
from saltern_master.bundle.signers import named_signer
from saltern_master.cli.amounts import pieces_of
from saltern_master.cli.bundle_names import FilePath, SignerNames, key_names, refuse_absent
from saltern_master.cli.bundle_page import VerifiedView, bundle_lines, bundle_view
from saltern_master.cli.faults import faults_told
from saltern_master.cli.listing import Output, write
from saltern_master.cli.output import say
from saltern_master.cli.refusals import UsageError


def verify(file: FilePath, signer: SignerNames = None, output: Output = Output.TABLE) -> None:
    """Tell all that is wrong with a bundle. No home is needed.

    Exit status: 0 it is good and signed by all that were named; 1 it is not; 2 the command line
    is wrong.
    """
    with faults_told():
        names = key_names(signer)
        if not names:
            raise UsageError(
                "cannot tell whose it shall be: give --signer FINGERPRINT, as its maker's saltern "
                "bundle key prints it; saltern bundle show only says what is in it"
            )
        refuse_absent(file)
        view = _verified(file, names)
        shown = bundle_lines(view.bundle) if view.good and view.bundle else iter(())
        write(view, output, shown)
        if not view.good:
            say("\n  ".join((f"saltern: cannot take {file}:", *view.faults)))
            raise typer.Exit(1)
        say(f"{file} is good")


def show(file: FilePath, output: Output = Output.TABLE) -> None:
    """Say what a bundle says of itself. Nothing is compared: saltern bundle verify does."""
    with faults_told():
        refuse_absent(file)
        with opened(file) as bundle:
            view = bundle_view(str(file), bundle.manifest, bundle.signed.signers)
            write(view, output, bundle_lines(view))
            if bundle.faults:
                raise BundleError(f"cannot believe {file}:", bundle.faults)


def _verified(file: Path, names: list[str]) -> VerifiedView:
    """Find all that is wrong with a bundle, who signed it among that."""
    try:
        with opened(file) as bundle:
            faults = [*faults_of(bundle, pieces_of(bundle.manifest.size))]
            view = bundle_view(str(file), bundle.manifest, bundle.signed.signers)
            try:
                named_signer(bundle.signed, names)
            except BundleError as error:
                faults.insert(0, str(error).partition(": ")[2])
    except BundleError as error:
        return VerifiedView(file=str(file), good=False, faults=(str(error),), bundle=None)
    return VerifiedView(file=str(file), good=not faults, faults=tuple(faults), bundle=view)
