"""A master's home with a small library, and what a node makes of what was signed there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, compile_cluster
from saltern_master.library import Binary, Library
from saltern_master.records.nodes import Node, hold_node
from saltern_master.signing.home import Home
from saltern_master.signing.init import init
from saltern_master.signing.recorded import open_store
from saltern_master.signing.sign import Signed, sign
from saltern_protocol.documents import Document, Identity, decode_identity, decode_statement
from saltern_protocol.trust import Accepted, Trust
from saltern_states.body import read_body

from tests.master.clusters import SMALL

NOW = 1_800_000_000
OWN = "resources: [{id: motd, spec: {kind: file/1, path: /etc/motd, text: hi}}]\n"
OTHER = SMALL + "resources: [{id: d, spec: {kind: directory/1, path: /etc/docker/d}}]\n"
MODES = {".": 0o711, "blobs": 0o711, "keys": 0o700, "pki": 0o700, "roots": 0o700, "store.db": 0o600}
TWO = "- {name: w2, address: 10.9.0.22}\n"


def counting(start: int) -> bytes:
    return start.to_bytes(2, "big") * 16


class Chance:
    """Bytes that differ each time and are the same in every run."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, size: int) -> bytes:
        self.calls += 1
        return counting(self.calls)[:size]


def made_home(tmp_path: Path) -> Home:
    """Make a home whose library has the one program that a small cluster needs."""
    home = Home(tmp_path / "home")
    init(home, "demo", NOW, Chance())
    program = tmp_path / "kubelet"
    program.write_bytes(b"a kubelet")
    library = Library(home.path)
    sha256 = library.add_blob(program)
    library.add_binary(
        Binary(
            version="1.20.2",
            component="kubelet",
            architecture="amd64",
            sha256=sha256,
            size=9,
            origin="directory",
        )
    )
    return home


def compiling(home: Home, text: str = SMALL) -> Callable[[Allocation], Compilation]:
    stock = Library(home.path).list()
    return lambda before: compile_cluster(load(text.encode()), {}, before, stock)


def signed(home: Home, text: str = SMALL, now: int = NOW) -> tuple[Signed, ...]:
    return sign(home, "demo", compiling(home, text), home.path / "out", now, Chance())


def believed(
    home: Home, node: str = "w1", before: Accepted | None = None, now: int = NOW
) -> tuple[Document, Accepted, Identity]:
    """Take the files as the node would."""
    identity = decode_identity((home.path / "out" / f"{node}.identity").read_bytes())
    statement = decode_statement((home.path / "out" / f"{node}.statement").read_bytes())
    trust = Trust.pin(identity).follow(statement)
    document, entry = trust.accept(statement.document, statement.body, identity, before, now)
    body = read_body(statement.body)
    trust.permit(identity, [claim for one in body.resources for claim in one.claims])
    return document, entry, identity


def believed_body(home: Home) -> bytes:
    return decode_statement((home.path / "out" / "w1.statement").read_bytes()).body


def recorded(home: Home, name: str = "w1") -> Node:
    with open_store(home) as store:
        node = hold_node(store, name).value
    assert node is not None
    return node


def keep(home: Home, node: Node) -> None:
    with open_store(home) as store:
        store.commit(*hold_node(store, node.name).replaced(node))


def snapshot(home: Home) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in home.path.rglob("*") if path.is_file()}
