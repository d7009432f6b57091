"""A token is made: for one name and one class, for a while, and told once.

* The secret is in the answer and nowhere else; the store has its SHA-256.
* A name that has joined gets no token; one that was revoked or removed does: for another machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from saltern_protocol import envelope
from saltern_protocol.token import JoinToken

from saltern_master.enrol.standing import EnrolError
from saltern_master.records.codec import Held
from saltern_master.records.nodes import Node
from saltern_master.records.tokens import Token, token_id, token_key
from saltern_master.store import Write

SHORTEST, LONGEST = 60, 30 * 24 * 3600
"""For how long a token can be good, in seconds."""
CLASSES = ("worker", "control-plane")


@dataclass(frozen=True, slots=True)
class Meeting:
    """Where machines find this master, and how they know it."""

    addresses: tuple[str, ...]
    link_port: int
    door_port: int
    server: bytes  # the public half of the link key
    cluster: str
    root: bytes  # the envelope that identities carry


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token, how people carry it, and the writes that make it good."""

    token: Token
    carried: JoinToken
    writes: tuple[Write, ...]


def make_token(
    meeting: Meeting,
    node: Held[Node],
    before: Held[Token],
    wanted: Token,
    secret: bytes,
) -> NewToken:
    """Make `wanted` (see token_for) good. `secret`: 32 random bytes, or b"" where it asks approval.

    `before`: what stands under the new token's id: a token without secret replaces the one before.
    EnrolError conflict: the name has joined. Its one Expect on the node makes the two exclusive.
    """
    known = node.value
    if known is not None and known.state in {"joined", "locked", "removing"}:
        raise EnrolError(
            "conflict",
            f"cannot make a token for {wanted.node}: it has joined already ({known.state}); "
            f"first run: saltern node revoke {wanted.node}, or saltern node remove {wanted.node}",
        )
    carried = JoinToken(
        addresses=meeting.addresses,
        link_port=meeting.link_port,
        door_port=meeting.door_port,
        server=meeting.server,
        root=sha256(envelope.decode(meeting.root).payload).digest(),
        cluster=meeting.cluster,
        node=wanted.node,
        secret=secret,
    )
    carried.text()  # MalformedError, before anything is written
    return NewToken(wanted, carried, (node.expected, *before.replaced(wanted)))


def token_for(node: str, node_class: str, seconds: int, secret: bytes, now: float) -> Token:
    """Give the record of a token that is good for `seconds`. EnrolError invalid."""
    if node_class not in CLASSES:
        raise EnrolError(
            "invalid",
            f"cannot make a token for the class {node_class!r}: it is {' or '.join(CLASSES)}",
        )
    if not SHORTEST <= seconds <= LONGEST:
        raise EnrolError(
            "invalid",
            f"cannot make a token that is good for {seconds} s: it is {SHORTEST} to {LONGEST}",
        )
    return Token(
        id=token_id(secret, node),
        node=node,
        node_class=node_class,
        made=now,
        expires=now + seconds,
        approval=not secret,
    )


def is_good(token: Token, now: float) -> bool:
    """Tell whether a token can still be used."""
    return not token.used_by and now < token.expires


def held_under(token: Token) -> str:
    """Give the key of the store under which a token stands."""
    return token_key(token.id)
