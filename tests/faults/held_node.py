"""A node that is a directory: what it shall hold under each version, and what it does hold.

Every version declares directories, files, modes, a sealed secret, a binary and an unpacked archive;
odd and even versions differ in all of them, and each has something that the other takes back.
What is wanted is a table here, from which the agent's documents are made; what is there is read
from the directory by other means than the agent's.
"""

from __future__ import annotations

import io
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from msgspec.structs import replace
from saltern_agent.folding import MAX_ITEM_BYTES
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.places import Master, Places, keep_master, pin
from saltern_protocol import envelope, testing
from saltern_protocol.documents import (
    body_hash,
    decode_document,
    decode_statement,
    encode_identity,
    encode_statement,
)
from saltern_protocol.report import Item
from saltern_protocol.sealed import Context, seal, sealing_public
from saltern_protocol.terms import LAST_SECOND
from saltern_protocol.wire import unpack
from saltern_states.artifact import Artifact
from saltern_states.body import Resource, make_body, write_body
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.secret import Secret

FOLDERS = ("etc/docker", "etc/kubernetes")
MANIFEST = ".saltern-manifest"  # belongs to an unpacked archive
SEALING = b"\x05" * 32
FOREVER = testing.signed_root(replace(testing.ROOT, expires=LAST_SECOND))
IDENTITY = replace(testing.IDENTITY, root=FOREVER)
FILES = 12
VERSIONS = 40  # for which blobs are there

Tree = dict[str, tuple[int, bytes | None]]
"""Mode and content by path below the node; of a directory no content."""


@dataclass(frozen=True, slots=True)
class HeldNode:
    """The directories of one node and of its agent."""

    root: Path
    state: Path

    @property
    def places(self) -> Places:
        """Where its agent keeps what."""
        return Places(self.root / "etc/saltern", self.state, self.root / "run/saltern", self.root)

    @property
    def words(self) -> list[str]:
        """What its agent is called with."""
        return ["--root", str(self.root), "--state", str(self.state)]

    def make(self, joined: bool = False, blobs: bool = True) -> None:
        """Pin its identity, and give it keys and blobs; joined: to a master that never answers."""
        for folder in FOLDERS:
            (self.root / folder).mkdir(parents=True)
        pin(self.places, encode_identity(IDENTITY))
        NodeKeys.make(self.places.config, lambda size: SEALING[:size])
        if joined:
            nobody = Master(addresses=("127.0.0.1",), link_port=9, server=sealing_public(SEALING))
            keep_master(self.places, nobody)
        self.places.blobs.mkdir(parents=True, mode=0o700)
        self.state.chmod(0o700)
        if not blobs:
            return
        contents = [make(parity) for make in (binary, archive) for parity in (0, 1)]
        for content in (*contents, *map(sealed, range(1, VERSIONS + 1))):
            (self.places.blobs / sha256(content).hexdigest()).write_bytes(content)

    def tree(self) -> Tree:
        """Read what is there."""
        return dict(self._read())

    def _read(self) -> Iterator[tuple[str, tuple[int, bytes | None]]]:
        for folder in FOLDERS:
            for path in sorted((self.root / folder).rglob("*")):
                found = path.lstat()
                if path.name != MANIFEST:
                    content = path.read_bytes() if stat.S_ISREG(found.st_mode) else None
                    yield str(path.relative_to(self.root)), (stat.S_IMODE(found.st_mode), content)

    def recorded(self) -> tuple[int, bool]:
        """Read from the journal which version was accepted (0: none), and whether it goes on."""
        connection = sqlite3.connect(self.places.journal)
        try:
            there = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'accepted'")
            asked = "SELECT statement, unfinished FROM accepted"
            row = connection.execute(asked).fetchone() if there.fetchone() else None
        finally:
            connection.close()
        if row is None:
            return 0, False
        document = decode_document(envelope.decode(decode_statement(row[0]).document).payload)
        return document.version, bool(row[1])


def copied(node: HeldNode, top: Path) -> HeldNode:
    """Copy a node whose state lies below its root."""
    shutil.copytree(node.root, top, symlinks=True)
    return HeldNode(top, top / node.state.relative_to(node.root))


def torn(found: Tree, versions: tuple[Tree, ...]) -> list[str]:
    """Name the files that hold neither version's content whole, or are gone though both have it."""
    paths = {
        path for tree in versions for path, (_, content) in tree.items() if content is not None
    }
    return sorted(
        path
        for path in paths
        if _content(found, path) not in {_content(tree, path) for tree in versions}
    )


def _content(tree: Tree, path: str) -> bytes | None:
    return tree.get(path, (0, None))[1]


def unlike(found: Tree, wanted: Tree) -> list[str]:
    """Name the paths at which the two differ."""
    return sorted(
        path for path in found.keys() | wanted.keys() if found.get(path) != wanted.get(path)
    )


def without_temporaries(found: Tree) -> Tree:
    """Leave out what the next agent sweeps away, and nobody reads."""
    return {path: held for path, held in found.items() if "/.saltern-" not in path}


def wanted(version: int) -> Tree:
    """Give what a node shall hold."""
    odd = version % 2
    tree: Tree = {
        "etc/docker/folder": (0o755 if odd else 0o750, None),
        "etc/docker/only-odd" if odd else "etc/docker/only-even": (0o644, b"it goes\n"),
        "etc/kubernetes/tool": (0o755, binary(version)),
        "etc/kubernetes/tree": (0o755, None),
        "etc/kubernetes/key": (0o600, plain(version)),
        "etc/docker/mode": (0o644 if odd else 0o600, b"the same\n"),
    }
    for name, content in _members(version).items():
        tree[f"etc/kubernetes/tree/{name}"] = (0o644, content)
    for number in range(FILES):
        tree[f"etc/docker/folder/{number}.json"] = (0o644, text(version, number).encode())
    if not odd:
        tree["etc/kubernetes/late"] = (0o700, None)
        tree["etc/kubernetes/late/file"] = (0o640, b"late\n")
    return tree


def statement(version: int, specs: Mapping[str, Spec] | None = None) -> bytes:
    """Sign what a node shall hold: by default what wanted() says."""
    each = specs_of(version) if specs is None else specs
    resources = [
        Resource(id=name, spec=spec, after=_after(name, each)) for name, spec in each.items()
    ]
    body = write_body(make_body(tuple(resources)))
    document = replace(testing.DOCUMENT, version=version, expires=LAST_SECOND, body=body_hash(body))
    policy = testing.signed_policy(replace(testing.POLICY, expires=LAST_SECOND))
    whole = replace(testing.statement(body, document), roots=(FOREVER,), policy=policy)
    return encode_statement(whole)


def specs_of(version: int) -> dict[str, Spec]:
    """Give the resources of a version by their ids."""
    specs: dict[str, Spec] = {}
    tree = wanted(version)
    for path in sorted(tree):
        mode, content = tree[path]
        spec = _spec(f"/{path}", f"{mode:04o}", content, version)
        if spec is not None:
            specs[path] = spec
    return specs


def _spec(path: str, mode: str, content: bytes | None, version: int) -> Spec | None:
    if path.startswith("/etc/kubernetes/tree"):
        if content is not None:
            return None  # a member of the archive
        return Artifact(path=path, sha256=_name(archive(version)), unpack="tar", mode=mode)
    if content is None:
        return Directory(path=path, mode=mode)
    if path.endswith("/tool"):
        return Artifact(path=path, sha256=_name(content), mode=mode)
    if path.endswith("/key"):
        blob = _name(sealed(version))
        return Secret(path=path, secret="probe", generation=version, blob=blob)
    return File(path=path, text=content.decode(), mode=mode)


def _after(name: str, each: Mapping[str, Spec]) -> tuple[str, ...]:
    above = name.rpartition("/")[0]
    return (above,) if above in each else ()


def text(version: int, number: int) -> str:
    """Give one file's text; some are long enough to be half written."""
    return f"{version} {number}\n" * (1 + 800 * (number % 3))


def binary(version: int) -> bytes:
    """Give the binary of a version."""
    return bytes([version % 2]) * 100_000


def plain(version: int) -> bytes:
    """Give the secret of a version."""
    return sha256(f"secret {version % 2}".encode()).digest()


def sealed(version: int) -> bytes:
    """Give it as it is sealed to the node; versions alike in parity differ in generation."""
    context = Context(
        cluster=IDENTITY.cluster, node=IDENTITY.node, secret="probe", generation=version
    )
    return seal(plain(version), sealing_public(SEALING), context, lambda size: b"\x09" * size)


def archive(version: int) -> bytes:
    """Give an archive, the same bytes each time."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        for name, content in _members(version).items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content))
    return data.getvalue()


def _members(version: int) -> dict[str, bytes]:
    return {f"member-{number}": f"{version % 2} {number}\n".encode() * 99 for number in range(3)}


def _name(content: bytes) -> str:
    return sha256(content).hexdigest()


def to_tell(node: HeldNode) -> list[Item]:
    """Read from the journal what the master has yet to be told, in its order."""
    connection = sqlite3.connect(node.places.journal)
    try:
        rows = connection.execute("SELECT item FROM outbox ORDER BY seq").fetchall()
    finally:
        connection.close()
    return [unpack(data, Item, MAX_ITEM_BYTES) for (data,) in rows]  # type: ignore[arg-type]
