"""What the front and a node are told of a peer: which blobs it may ask for, and that it is called.

A node is granted what its document needs, and what the proposal needs that it is asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saltern_protocol.messages import Current, Poke, encode

from saltern_master.core.peer import Peer
from saltern_master.front.frames import Grant, Tell


def grant(peer: Peer) -> Grant:
    """Give the blobs that a node may ask for: its bodies, and what those need."""
    document, offered = peer.document, peer.offered
    named = () if document is None else (document.body, *document.blobs)
    if offered is not None:
        named = (*named, offered.proposed.body, *offered.proposed.blobs)
    blobs = tuple(bytes.fromhex(one) for one in dict.fromkeys(named))
    return Grant(key=bytes.fromhex(peer.node.key), blobs=blobs)


def call(peers: Iterable[Peer]) -> Iterator[Tell]:
    """Give what makes those move who listen, for the turn that waits for each."""
    return (_tell(peer, _move(peer)) for peer in peers if peer.session.greeted)


def poke(peers: Iterable[Peer]) -> Iterator[Tell]:
    """Give what makes those who listen ask what there is."""
    return (_tell(peer, Poke()) for peer in peers if peer.session.greeted)


def _move(peer: Peer) -> Poke | Current:
    """Who has what it shall have needs not ask what there is."""
    return Current(turn=peer.turn) if peer.turn and not peer.is_behind else Poke()


def _tell(peer: Peer, message: Poke | Current) -> Tell:
    return Tell(key=bytes.fromhex(peer.node.key), data=encode(message))
