"""Nodes that ask for certificates all the time cost a signature each, not the reading of a body."""

from __future__ import annotations

import secrets
from pathlib import Path

from msgspec.structs import replace
from saltern_master.core.members import Members
from saltern_master.core.peer import Peer
from saltern_master.library import Library
from saltern_master.pki.authorities import authorities
from saltern_master.records.codec import Held
from saltern_master.records.documents import Issued
from saltern_master.records.nodes import Node
from saltern_master.store import MemoryStore
from saltern_protocol.messages import Csr
from saltern_states.body import Body, Resource, write_body
from saltern_states.directory import Directory

from tests.master.homes import NOW, made_home

CSR = Csr(request=1, resource="/etc/kubernetes/none.crt", csr=b"")
ISSUED = Issued(
    node="w",
    incarnation="0" * 32,
    epoch=1,
    version=1,
    issued=0,
    expires=1,
    document="0" * 64,
    body="",
    envelope=b"",
    blobs=(),
)


def peer(library: Library, name: str) -> Peer:
    body = Body((Resource(id=name, spec=Directory(path=f"/etc/docker/{name}")),))
    node = Node(name=name, node_class="worker", state="joined", incarnation="0" * 32)
    issued = replace(ISSUED, node=name, body=library.add_bytes(write_body(body)))
    return Peer(held=Held(f"nodes/{name}", node, 1), document=issued)


def test_of_nodes_that_ask_in_turn_each_body_is_read_once(tmp_path: Path) -> None:
    home = made_home(tmp_path)
    library = Library(home.path)
    asked = Members(MemoryStore(), library, authorities(home, NOW), secrets.token_bytes)
    peers = [peer(library, f"w{number}") for number in range(20)]
    first = [asked.certify(one, CSR, NOW) for one in peers]
    for one in peers:
        assert one.document is not None
        library.path(one.document.body).unlink()

    assert [asked.certify(one, CSR, NOW) for one in peers] == first
    assert all("no certificate of that name" in cert.why for cert, _ in first)
