"""saltern bundle import, signers and forget: who takes bundles, and whose."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from saltern_master.bundle.bring import bring
from saltern_master.bundle.bring import save as saving
from saltern_master.bundle.manifest import BundleError, Manifest
from saltern_master.bundle.reading import Opened, opened
from saltern_master.bundle.signers import (
    Signer,
    forget_signers,
    keep_signer,
    known_signer,
    named_signer,
    names_of,
    read_signers,
)
from saltern_master.cli.amounts import pieces_of
from saltern_master.cli.bundle_names import FilePath, SignerNames, key_names, refuse_absent
from saltern_master.cli.bundle_page import BroughtView, brought_lines, signer_view
from saltern_master.cli.faults import faults_told
from saltern_master.cli.listing import Output, columns, write
from saltern_master.cli.new_file import refuse_taken
from saltern_master.cli.output import say
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import FileError, UsageError
from saltern_master.errors import MasterError
from saltern_master.library import Library
from saltern_master.signing.home import Home


def import_file(
    file: FilePath,
    signer: SignerNames = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="DIRECTORY", help="Also write the cluster file and the agents' packages there."
        ),
    ] = None,
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Take a bundle into the library: all of it, or nothing.

    Whose bundles are taken is said once, by --signer or by an answer; after that this home knows.

    Exit status: 0 taken in, or all of it was here; 1 it is not good, or nobody's who is known;
    2 the command line is wrong.
    """
    with faults_told():
        where, names = Home(home), key_names(signer)
        refuse_absent(file)
        if not where.is_made:
            raise FileError(f"cannot import to {home}: it has no keys; run: saltern init {home}")
        with opened(file) as bundle:
            chosen = _chosen(where, bundle, names)
            _refuse_saving(bundle.manifest, save)
            rows = bring(bundle, Library(home), pieces_of(2 * bundle.manifest.size))
            kept = keep_signer(where, chosen)
            saved = () if save is None else tuple(_saved(bundle, Library(home), save))
            view = BroughtView(
                file=str(file),
                cluster=bundle.manifest.cluster,
                signers=signer_view(chosen).fingerprints,
                signer_kept=kept,
                brought=sum(row.came != "here" for row in rows),
                rows=rows,
                saved=saved,
            )
        write(view, output, brought_lines(rows))
        _say_brought(view)


def list_signers(home: OwnHome = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """List whose bundles this master takes without asking."""
    with faults_told():
        views = [signer_view(one) for one in read_signers(Home(home))]
        rows = [[" and ".join(one.fingerprints)] for one in views]
        write(views, output, columns(("signer",), rows))


def forget(
    fingerprint: Annotated[list[str], typer.Argument(metavar="FINGERPRINT...", help="Of a key.")],
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Take no more bundles of these signers. What was taken in stays."""
    with faults_told():
        gone = forget_signers(Home(home), key_names(fingerprint))
        write([signer_view(one) for one in gone], output, ())
        for one in gone:
            say(f"takes no more bundles of {names_of(sorted(one))}")


def _chosen(home: Home, bundle: Opened, names: list[str]) -> Signer:
    """Give the signer by whom a bundle is believed: named now, known before, or asked for."""
    if bundle.faults:
        raise BundleError("cannot take this bundle; nothing of it was taken in:", bundle.faults)
    before = read_signers(home)  # also where one is named: it is to be kept there afterwards
    if names:
        return named_signer(bundle.signed, names)
    known = known_signer(bundle.signed, before)
    if known is not None:
        return known
    signers = bundle.signed.signers
    if not sys.stdin.isatty():
        raise BundleError(
            f"cannot take this bundle: {names_of(signers)} signed it, and this master knows nobody "
            "whose bundles it takes; name who made it, as you were told by another way than the "
            "file: --signer FINGERPRINT"
        )
    say(f"signed by {names_of(signers)}, and this master knows nobody whose bundles it takes yet")
    say("its maker sees the fingerprint with: saltern bundle key")
    if not typer.confirm("Did its maker tell you that, by another way than the file?", err=True):
        raise UsageError("cannot go on: you did not say yes; nothing was taken in")
    return frozenset(signers)


def _refuse_saving(manifest: Manifest, directory: Path | None) -> None:
    if directory is None:
        return
    if not directory.is_dir():
        raise FileError(f"cannot save to {directory}: it is no directory; make it")
    for name in (f"{manifest.cluster}.yaml", *manifest.packages):
        refuse_taken(directory / name)


def _saved(bundle: Opened, library: Library, directory: Path) -> Iterator[str]:
    try:
        yield from map(str, saving(bundle, library, directory))
    except MasterError as error:
        raise BundleError(f"{error}; all of the bundle was taken in, and not all saved") from error


def _say_brought(view: BroughtView) -> None:
    say(f"{view.brought} of {len(view.rows)} were not here as they are now")
    if view.signer_kept:
        say(f"bundles of {' and '.join(view.signers)} are taken from now on without asking")
    for path in view.saved:
        say(f"wrote {path}")
