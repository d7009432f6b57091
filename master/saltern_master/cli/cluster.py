"""saltern init, policy, compile, sign: from a cluster file to what each node is given."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from saltern_protocol.errors import for_terminal
from saltern_protocol.keys import fingerprint
from saltern_states.body import write_body

from saltern_master.cli.bodies import Format, body_lines, in_full, write
from saltern_master.cli.faults import faults_told
from saltern_master.cli.output import Output, say, show
from saltern_master.cli.own_home import OwnHome, refuse_root
from saltern_master.cli.places import DEFAULT_HOME
from saltern_master.cli.refusals import read_bytes
from saltern_master.cluster.load import ClusterFile, load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, Compiled, compile_cluster
from saltern_master.library import Library
from saltern_master.pki.told import pki_of
from saltern_master.signing.home import Home, write_whole
from saltern_master.signing.init import init as make_home
from saltern_master.signing.init import sign_policy
from saltern_master.signing.recorded import known_facts, read_recorded, recorded_allocation
from saltern_master.signing.sign import sign as sign_bodies

ClusterPath = Annotated[Path, typer.Argument(metavar="CLUSTER.YAML", help="The cluster file.")]


class KeyRow(msgspec.Struct, frozen=True):
    """One key of a new cluster."""

    role: str
    public: str
    fingerprint: str


class SignedRow(msgspec.Struct, frozen=True):
    """One node's new document."""

    node: str
    version: int
    expires: str
    body: str
    statement: str


def init(
    home: Annotated[
        Path,
        typer.Argument(envvar="SALTERN_HOME", help="The directory to make.", callback=refuse_root),
    ] = DEFAULT_HOME,
    cluster: Annotated[
        str, typer.Option(help="The cluster's name, as in its cluster file.")
    ] = "demo",
    output: Output = Output.TABLE,
) -> None:
    """Make the keys, the root and the policy of a new cluster."""
    with faults_told():
        made = make_home(Home(home), cluster, _now(), secrets.token_bytes)
        rows = [KeyRow(role, str(key), fingerprint(key.raw)) for role, key in made.keys.items()]
        rows.append(KeyRow("link", f"curve25519:{made.link.hex()}", fingerprint(made.link)))
        show(rows, ("role", "fingerprint", "public"), output)
        say(f"made {home}; edit {home}/policy.yaml for resources of your own")


def policy(
    home: OwnHome = DEFAULT_HOME,
    out: Annotated[
        Path | None,
        typer.Option(help="Write it there to be signed elsewhere: see saltern key sign."),
    ] = None,
) -> None:
    """Sign HOME/policy.yaml as the next version of the policy."""
    with faults_told():
        if out is not None:
            from saltern_master.cli.key import propose_policy_to

            propose_policy_to(Home(home), out)
            return
        signed = sign_policy(Home(home), _now())
        say(f"signed policy {signed.version}; it expires {_date(signed.expires)}")


def compile_file(
    file: ClusterPath,
    home: OwnHome = DEFAULT_HOME,
    out: Annotated[
        Path | None, typer.Option(help="Also write NODE.body and NODE.json into this directory.")
    ] = None,
    output: Format = Format.TABLE,
) -> None:
    """Show what each node shall be. Nothing is signed and nothing is recorded."""
    with faults_told():
        read = load(read_bytes(file))
        with read_recorded(Home(home)) as store:
            ranges = recorded_allocation(store)
        compilation = _compile(read, home, ranges)
        if out is not None:
            _write_bodies(compilation, out)
        if output is Format.TABLE:
            for one in compilation.nodes:
                typer.echo(
                    for_terminal(
                        "\n".join([_headline(one, compilation), *body_lines(one.body), ""])
                    )
                )
        else:
            write([_in_full(one, compilation) for one in compilation.nodes], output)


def sign(
    file: ClusterPath,
    home: OwnHome = DEFAULT_HOME,
    out: Annotated[
        Path | None, typer.Option(help="Where the nodes' files go; HOME/out if not given.")
    ] = None,
    output: Output = Output.TABLE,
) -> None:
    """Compile, and sign for every node: NODE.identity, NODE.statement and blobs/."""
    with faults_told():
        read = load(read_bytes(file))
        signed = sign_bodies(
            Home(home),
            read.cluster.cluster.name,
            partial(_compile, read, home),
            out or home / "out",
            _now(),
            secrets.token_bytes,
        )
        rows = [
            SignedRow(one.node, one.version, _date(one.expires), one.body, str(one.statement))
            for one in signed
        ]
        show(rows, ("node", "version", "expires", "statement"), output)


def _compile(file: ClusterFile, path: Path, allocation: Allocation) -> Compilation:
    home = Home(path)
    names = [node.name for node in file.cluster.nodes]
    with read_recorded(home) as store:
        facts = known_facts(home, store, names)
    pki = pki_of(path) if file.cluster.control_plane else None
    compilation = compile_cluster(file, facts, allocation, Library(path).list(), pki)
    for note in compilation.notes:
        say(f"note: {note}")
    return compilation


def _write_bodies(compilation: Compilation, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for one in compilation.nodes:
        name = one.node.name
        write_whole(out / f"{name}.body", write_body(one.body), 0o644)
        text = msgspec.json.encode(in_full(one.body))
        write_whole(out / f"{name}.json", msgspec.json.format(text) + b"\n", 0o644)


def _headline(one: Compiled, compilation: Compilation) -> str:
    pods = compilation.allocation.ranges[one.node.name]
    return (
        f"{one.node.name}: {one.node.node_class}, pods {pods}, "
        f"{len(one.body.resources)} resources, {len(one.body.blobs)} blobs"
    )


def _in_full(one: Compiled, compilation: Compilation) -> dict[str, object]:
    return {
        "node": one.node.name,
        "class": one.node.node_class,
        "pods": compilation.allocation.ranges[one.node.name],
        "sha256": sha256(write_body(one.body)).hexdigest(),
        "blobs": sorted(one.body.blobs),
        "resources": in_full(one.body),
    }


def _now() -> int:
    return int(datetime.now(UTC).timestamp())


def _date(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
