"""Bodies that nodes shall have, and what they have -> which documents are new. Pure.

* The same body keeps its document, until that is past half its life: its node looks, that is all.
* What a node took back is not signed anew for it, however old it becomes, but where a person
  applies it again: nobody else can know that what parted the node from here is mended.
* A version is above every one that the store or the node itself has seen, so a store that was
  brought back from a copy gives none twice.
* A document that may be taken for one plan alone is another than the same without: who applies
  plainly gives a new one, so nobody is left with what he refused.
* A node that cannot take its body is settled at once, with the reason, and the others go on: one
  that has not joined, whose agent is too old, that joined under another class, that leaves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from saltern_master.compile.facts import Facts
from saltern_master.core.peer import IS_LOCKED, Peer
from saltern_master.core.prepare import Machine, Prepared, Wanted
from saltern_master.core.signer import Signer
from saltern_master.core.turns import Standing
from saltern_master.records.codec import put
from saltern_master.records.documents import Issued, document_key
from saltern_master.records.nodes import Node
from saltern_master.signing.documents import DOCUMENT_LIFE, Draft, Proposed, is_signed
from saltern_master.store import Write

MOST_AHEAD = 1_000_000
"""What a node may claim to be ahead of the store: none makes its numbers run out."""


@dataclass(frozen=True, slots=True)
class Order:
    """Whom an apply is for, and the digests of the plans that it is to be for some of them."""

    only: frozenset[str] | None = None  # None: everybody
    without: frozenset[str] = frozenset()
    expects: Mapping[str, str] = field(default_factory=dict)
    by_person: bool = False  # who may want it tried again where it was taken back

    def means(self, name: str) -> bool:
        """Tell whether a node is to have its document."""
        return name not in self.without and (self.only is None or name in self.only)


EVERYBODY = Order()
APPLIED = Order(by_person=True)


@dataclass(frozen=True, slots=True)
class NewDocument:
    """A document to be signed: the body of a node, and the version that it gets."""

    peer: Peer
    version: int
    body: bytes
    blobs: tuple[str, ...] = ()
    expects: str = ""  # the digest of a plan


@dataclass(frozen=True, slots=True)
class Rollout:
    """What an apply comes to."""

    new: tuple[NewDocument, ...]
    same: tuple[str, ...]
    settled: Mapping[str, Standing]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Signed:
    """A document that was signed, and what its node's record is with it."""

    peer: Peer  # as it was when it was signed for
    issued: Issued

    @property
    def node(self) -> Node:
        """Its node's record with it."""
        return msgspec.structs.replace(
            self.peer.node,
            version=self.issued.version,
            document=self.issued.document,
            body=self.issued.body,
        )

    def on(self, peer: Peer | None) -> Signed | None:
        """Give the same on the node's record as it is now; None: it fits that one no more.

        What the node told of itself meanwhile changes nothing that was signed.
        """
        if peer is None or _untold(peer.node) != _untold(self.peer.node):
            return None
        return replace(self, peer=peer)

    def writes(self) -> tuple[Write, ...]:
        """Give the writes; a conflict where somebody else signed for this node since."""
        key = document_key(self.issued.node)
        return (*self.peer.held.replaced(self.node), put(key, self.issued))


def _untold(node: Node) -> Node:
    return msgspec.structs.replace(node, facts_now={}, kinds=(), release="")


def plan(
    prepared: Prepared,
    peers: Mapping[str, Peer],
    epoch: int,
    now: float,
    order: Order = EVERYBODY,
) -> Rollout:
    """Compare what is wanted with what there is."""
    new: list[NewDocument] = []
    same: list[str] = []
    settled = {
        name: without_body(name, node_class, peers.get(name))
        for name, node_class in prepared.left_out.items()
        if order.means(name)
    }
    for name, wanted in prepared.nodes.items():
        if not order.means(name):
            continue
        peer, expects = peers[name], order.expects.get(name, "")
        hindered = hindrance(peer.node, wanted)
        if hindered is not None:
            settled[name] = hindered
        elif keeps(peer, wanted.hash, epoch, now, expects) and not (
            order.by_person and peer.took_back
        ):
            same.append(name)
        else:
            version = next_version(peer, epoch)
            new.append(NewDocument(peer, version, wanted.body, wanted.blobs, expects))
    return Rollout(tuple(new), tuple(same), settled, not_in_file(prepared, peers))


def not_in_file(prepared: Prepared, peers: Mapping[str, Peer]) -> tuple[str, ...]:
    """Say of which nodes the cluster file does not speak."""
    spoken = prepared.nodes.keys() | prepared.left_out.keys()
    return tuple(
        f"{name} is not in the cluster file: it keeps what it has; to take that back: "
        f"saltern node remove {name}"
        for name, peer in sorted(peers.items())
        if name not in spoken and peer.node.state == "joined"
    )


def without_body(name: str, node_class: str, peer: Peer | None) -> Standing:
    """Say why nothing was compiled for a node of the cluster file."""
    if peer is None:
        make = f"saltern node token {name} --class {node_class}"
        why = f"it has not joined; make a token for it: {make}"
        return Standing(result="unreachable", why=why)
    if peer.node.state == "removing":
        return Standing(result="superseded", why="it is being removed")
    why = "what it told of its machine when it joined cannot be used; join it again"
    return Standing(result="blocked", why=why)


def hindrance(node: Node, wanted: Wanted) -> Standing | None:
    """Say why a node cannot take its body, or None."""
    if node.state == "locked":
        return Standing(result="refused", why=IS_LOCKED)
    if node.node_class != wanted.node_class:
        why = (
            f"it joined as {node.node_class} and its roles make it {wanted.node_class}; change "
            f"its roles, or revoke it and join it again with a token of class {wanted.node_class}"
        )
        return Standing(result="refused", why=why)
    unknown = sorted(wanted.kinds - set(node.kinds))
    if unknown:
        why = (
            f"its agent {node.release or '(of an unknown release)'} is too old: it does not know "
            f"{', '.join(unknown)}; install the agent of this master's release there by hand "
            "(apt install ./saltern-agent_*.deb)"
        )
        return Standing(result="blocked", why=why)
    return None


def machine_of(node: Node) -> Machine | None:
    """Give what compile is told of a node; None where it leaves or its facts cannot be used."""
    if node.state not in ("joined", "locked"):  # a locked one holds what it has: so do the others
        return None
    try:
        return Machine(node.name, msgspec.convert(node.facts, Facts), node.sealing)
    except msgspec.ValidationError:
        return None


def keeps(peer: Peer, body: str, epoch: int, now: float, expects: str = "") -> bool:
    """Tell whether the document that a node has been given is still the right one."""
    document = peer.document
    if document is not None and peer.took_back and document.body == body:
        return True
    return (
        document is not None
        and (document.body, document.expects) == (body, expects)
        and document.epoch == epoch
        and document.version == peer.node.version
        and document.expires - now > DOCUMENT_LIFE / 2
        and not peer.is_ahead
    )


def is_old(document: Issued, signer: Signer, now: float) -> bool:
    """Tell whether a document is past half its life, or of another root's keys or epoch."""
    signed = document.epoch == signer.root.epoch and is_signed(document, signer.root)
    return not signed or document.expires - now <= DOCUMENT_LIFE / 2


def not_renewed(peers: Mapping[str, Peer], signer: Signer, now: float) -> Iterator[str]:
    """Say whose document is old and is not signed anew, since its node took it back."""
    for name, peer in sorted(peers.items()):
        if peer.document and peer.took_back and is_old(peer.document, signer, now):
            yield (
                f"the document of {name} is not renewed: {name} took it back and holds the one "
                "before; mend what parted it from here and apply the same file again, or another"
            )


def next_version(peer: Peer, epoch: int) -> int:
    """Give a version that nobody has seen: epochs start afresh, nodes' own words count."""
    document = peer.document
    if document is not None and document.epoch < epoch:
        return 1
    ours, told = peer.node.version, peer.session.held if peer.session.epoch == epoch else 0
    return max(ours, told if told <= ours + MOST_AHEAD else 0) + 1


def sign(new: NewDocument, signer: Signer, now: int) -> Signed:
    """Sign one; RefusedError where its node would not believe it."""
    issued = signer.document(new.peer.subject, _draft(new), now)
    return Signed(new.peer, msgspec.structs.replace(issued, expects=new.expects))


def propose(new: NewDocument, signer: Signer, now: int) -> Proposed:
    """Sign the same as a proposal; RefusedError where its node would not believe it."""
    return signer.proposal(new.peer.subject, _draft(new), now)


def _draft(new: NewDocument) -> Draft:
    node, document = new.peer.node, new.peer.document
    previous = document.document if document is not None else ""
    return Draft(node.name, node.incarnation, new.version, previous, new.body, new.blobs)
