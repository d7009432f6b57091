"""saltern bundle create, sign and key: who makes bundles."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Final

import typer
from saltern_protocol.keys import PrivateKey

from saltern_master.bundle import create as making
from saltern_master.bundle.bring import refuse_faults
from saltern_master.bundle.needs import Contents, contents_of
from saltern_master.bundle.reading import opened
from saltern_master.bundle.signers import names_of, own_key
from saltern_master.cli.amounts import pieces_of
from saltern_master.cli.bundle_names import FilePath, refuse_absent
from saltern_master.cli.bundle_page import bundle_lines, bundle_view, signer_view
from saltern_master.cli.faults import faults_told
from saltern_master.cli.listing import Output, write
from saltern_master.cli.output import say
from saltern_master.cli.own_home import OwnHome
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import UsageError, read_bytes
from saltern_master.cluster.load import load
from saltern_master.compile.facts import ARCHITECTURES, Facts
from saltern_master.library import Library
from saltern_master.signing.home import Home
from saltern_master.signing.key_file import read_key
from saltern_master.signing.recorded import known_facts, read_recorded

KUBECTL: Final = "kubectl"
Keys = Annotated[
    list[Path] | None,
    typer.Option("--key", help="Sign with this private key in place of the home's; repeatable."),
]


def create(
    cluster: Annotated[
        Path, typer.Option("--file", "-f", metavar="CLUSTER.YAML", help="The cluster file.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The bundle to make.")],
    agent: Annotated[
        list[Path] | None,
        typer.Option("--agent", help="A package of Saltern's own to take along; repeatable."),
    ] = None,
    kubectl: Annotated[bool, typer.Option("--kubectl", help="Take kubectl along.")] = False,
    architecture: Annotated[
        str, typer.Option("--arch", help="Of nodes that this master knows nothing of.")
    ] = "amd64",
    key: Keys = None,
    home: OwnHome = DEFAULT_HOME,
    output: Output = Output.TABLE,
) -> None:
    """Make a bundle: exactly what a cluster file needs, of the library.

    Exit status: 0 made; 1 the library lacks something, all of which is named; 2 the cluster file
    or the command line is wrong.
    """
    with faults_told():
        making.refuse_place(out)
        data, given = read_bytes(cluster), _given_keys(key)
        library, contents = Library(home), _contents(data, home, architecture, kubectl)
        name = load(data).cluster.cluster.name
        planned = making.plan(name, data, contents, agent or (), library)
        keys = given or [own_key(Home(home), secrets.token_bytes)]
        making.create(planned, keys, out, pieces_of(planned.manifest.size))
        signers = sorted(one.public for one in keys)
        view = bundle_view(str(out), planned.manifest, signers, contents.notes)
        write(view, output, bundle_lines(view))
        for note in contents.notes:
            say(f"note: {note}")
        named = " ".join(f"--signer {one}" for one in view.signers)
        say(f"who takes it, told by another way: saltern bundle import {out.name} {named}")


def sign(
    file: FilePath,
    key: Annotated[Path, typer.Option("--key", help="The file of your private key.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; you have read it.")] = False,
    output: Output = Output.TABLE,
) -> None:
    """Sign a bundle too, after all of it was compared and shown. No home is needed."""
    with faults_told():
        refuse_absent(file)
        read_bytes(key)
        with opened(file) as bundle:
            refuse_faults(bundle, pieces_of(bundle.manifest.size))
            view = bundle_view(str(file), bundle.manifest, bundle.signed.signers)
            for line in bundle_lines(view):
                say(line)
            if not yes and not typer.confirm("Sign this?", err=True):
                raise UsageError("cannot go on: you did not say yes; the file is as it was")
            private = read_key(key)
            making.add_key(bundle, file, private)
            signers = sorted((*bundle.signed.signers, private.public))
        write(bundle_view(str(file), bundle.manifest, signers), output, ())
        say(f"signed {file} with {names_of([private.public])}")


def show_key(home: OwnHome = DEFAULT_HOME, output: Output = Output.TABLE) -> None:
    """Show the key that signs bundles made here. The first time, it is made."""
    with faults_told():
        public = own_key(Home(home), secrets.token_bytes).public
        view = signer_view(frozenset({public}))
        lines = (f"fingerprint  {view.fingerprints[0]}", f"public       {view.keys[0]}")
        write(view, output, lines)


def _contents(data: bytes, home: Path, architecture: str, kubectl: bool) -> Contents:
    machines = {word: machine for machine, word in ARCHITECTURES.items()}
    if architecture not in machines:
        raise UsageError(
            f"cannot make a bundle for {architecture!r}: known are {', '.join(machines)}"
        )
    file, library = load(data), Library(home)
    names = [node.name for node in file.cluster.nodes]
    with read_recorded(Home(home)) as store:
        known = known_facts(Home(home), store, names)
    usual = Facts(architecture=machines[architecture])  # type: ignore[arg-type] # its own words
    facts = dict.fromkeys(names, usual) | known
    return contents_of(file, facts, library.list(), library.has, (KUBECTL,) if kubectl else ())


def _given_keys(files: list[Path] | None) -> list[PrivateKey]:
    for path in files or ():
        read_bytes(path)  # one that is not there was named wrongly
    return [read_key(path) for path in files or ()]
