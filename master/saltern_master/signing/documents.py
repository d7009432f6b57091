"""What is signed for a node, decided and made from values alone: for core and `saltern sign`.

* A body that a good document already names is not signed anew, until half of that document's life
  is over: a version means that something changed.
* A document is good for that only under the same incarnation and epoch, and signed by keys that
  the root still names.
* Versions rise by one within an incarnation. The document and the node's record are one commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace
from saltern_protocol import envelope
from saltern_protocol.documents import (
    Document,
    Identity,
    PayloadType,
    Statement,
    body_hash,
    document_hash,
    encode_document,
)
from saltern_protocol.errors import ProtocolError
from saltern_protocol.keys import PrivateKey
from saltern_protocol.policy import Claim
from saltern_protocol.root import Root
from saltern_protocol.trust import Trust
from saltern_states.body import read_body

from saltern_master.records.codec import Held
from saltern_master.records.documents import Issued
from saltern_master.records.nodes import Node
from saltern_master.store import Write

DOCUMENT_LIFE = 30 * 24 * 3600
"""In seconds."""
PROPOSAL_LIFE = 600
"""In seconds: as long as a plan goes on."""


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be signed, for whom, and after what."""

    node: str
    incarnation: str
    version: int
    previous: str  # the hash of the document before it; "": there is none
    body: bytes
    blobs: tuple[str, ...]  # what the body needs, its own not among them


@dataclass(frozen=True, slots=True)
class Proposed:
    """A signed proposal: it can be planned, and is nowhere written down. Hashes have 64 digits."""

    version: int  # that the document would have
    expires: int  # seconds since 1970
    body: str
    blobs: tuple[str, ...]
    envelope: bytes


def next_document(
    node: Node,
    before: Issued | None,
    body: bytes,
    root: Root,
    keys: Sequence[PrivateKey],
    now: int,
) -> Issued:
    """Give the document for a body: the one before, where it still serves, or a new one."""
    if before is not None and _serves(before, node, body, root, now):
        return before
    version, blobs = node.version + 1, tuple(sorted(read_body(body).blobs))
    draft = Draft(node.name, node.incarnation, version, node.document, body, blobs)
    return issue(draft, root, keys, now)


def issue(draft: Draft, root: Root, keys: Sequence[PrivateKey], now: int) -> Issued:
    """Sign a draft with the state keys."""
    document = _document(draft, root, now, DOCUMENT_LIFE)
    payload = encode_document(document)
    return Issued(
        node=draft.node,
        incarnation=draft.incarnation,
        epoch=root.epoch,
        version=document.version,
        issued=now,
        expires=document.expires,
        document=document_hash(payload).hex(),
        body=document.body.hex(),
        envelope=envelope.sign(PayloadType.DOCUMENT, payload, keys),
        blobs=draft.blobs,
    )


def propose(draft: Draft, root: Root, keys: Sequence[PrivateKey], now: int) -> Proposed:
    """Sign a draft as something to plan: no node takes that for a document."""
    document = _document(draft, root, now, PROPOSAL_LIFE)
    return Proposed(
        version=document.version,
        expires=document.expires,
        body=document.body.hex(),
        blobs=draft.blobs,
        envelope=envelope.sign(PayloadType.PROPOSAL, encode_document(document), keys),
    )


def document_writes(
    node: Held[Node], before: Held[Issued], now_is: Node, issued: Issued
) -> tuple[Write, ...]:
    """Give the writes that record a document with its node; none for what stands there already."""
    after = replace(now_is, version=issued.version, document=issued.document, body=issued.body)
    return (
        *(node.replaced(after) if node.value != after else ()),
        *(before.replaced(issued) if before.value != issued else ()),
    )


def identity_of(node: Node, cluster: str, root: bytes) -> Identity:
    """Give what a node has to pin. `root`: the envelope."""
    return Identity(
        cluster=cluster,
        node=node.name,
        incarnation=node.incarnation,
        node_class=node.node_class,
        root=root,
    )


def believe(identity: Identity, statement: Statement, claims: Iterable[Claim], now: int) -> None:
    """Take a statement as its node will; RefusedError where it would not."""
    trust = Trust.pin(identity).follow(statement)
    trust.accept(statement.document, statement.body, identity, None, now)
    trust.permit(identity, claims)


def _document(draft: Draft, root: Root, now: int, life: int) -> Document:
    return Document(
        cluster=root.cluster,
        node=draft.node,
        incarnation=draft.incarnation,
        epoch=root.epoch,
        version=draft.version,
        issued=now,
        expires=now + life,
        previous=bytes.fromhex(draft.previous) if draft.previous else None,
        body=body_hash(draft.body),
    )


def _serves(before: Issued, node: Node, body: bytes, root: Root, now: int) -> bool:
    same = (before.incarnation, before.epoch, before.version, before.body) == (
        node.incarnation,
        root.epoch,
        node.version,
        body_hash(body).hex(),
    )
    fresh = before.issued <= now and before.expires - now > (before.expires - before.issued) / 2
    return same and fresh and is_signed(before, root)


def is_signed(issued: Issued, root: Root) -> bool:
    """Tell whether a document is signed by keys that this root still names."""
    role = root.roles.state
    try:
        envelope.verify(issued.envelope, PayloadType.DOCUMENT, role.keys, role.threshold)
    except ProtocolError:
        return False
    return True
