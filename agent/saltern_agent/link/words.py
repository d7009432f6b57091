"""What a session is told, and what it asks for: plain values, so that a conversation can be read.

Blobs are named by their SHA-256, raw, as in messages. Times are not in here: `now` comes with each
input.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from saltern_protocol.documents import Identity, document_hash
from saltern_protocol.envelope import decode as decode_envelope
from saltern_protocol.errors import MalformedError
from saltern_protocol.lease import Hold, LeasePayload
from saltern_protocol.messages import PROTOCOL, Doc, Hello, Message, Proposal
from saltern_protocol.trust import Trust

from saltern_agent.outbox import Batch

Offer = Doc | Proposal
State = Literal["away", "opening", "greeting", "up"]


@dataclass(frozen=True, slots=True)
class About:
    """What a Hello tells of this agent, and what stays the same as long as it runs."""

    identity: Identity
    instance: bytes  # drawn at this start
    boot: str
    kinds: tuple[str, ...]
    release: str
    facts: bytes  # JSON


@dataclass(frozen=True, slots=True)
class Standing:
    """What the node believes, and the document on its disk. Epoch and version 0: none."""

    trust: Trust
    epoch: int = 0
    version: int = 0
    document: bytes = b""  # its hash
    held: bool = False  # a hold is kept: a lease without one ends it

    def is_behind(self, lease: LeasePayload) -> bool:
        """Say whether a lease names a newer document; version 0: there is none yet."""
        ours = (self.epoch, self.version)
        return lease.version > 0 and (lease.epoch, lease.version) > ours


def hello(about: About, standing: Standing, nonce: bytes, unacked: int) -> Hello:
    """Give the first message over a connection."""
    return Hello(
        protocol=PROTOCOL,
        incarnation=about.identity.incarnation,
        instance=about.instance,
        boot=about.boot,
        root=standing.trust.root.version,
        epoch=standing.epoch,
        version=standing.version,
        document=standing.document,
        nonce=nonce,
        unacked=unacked,
        kinds=about.kinds,
        release=about.release,
        facts=about.facts,
    )


def hash_of(offer: Doc) -> bytes:
    """Give the name of the document in an offer, unverified; empty where it is none."""
    try:
        return document_hash(decode_envelope(offer.document).payload)
    except MalformedError:
        return b""


# Inputs


@dataclass(frozen=True, slots=True)
class Tick:
    """Time went by; see Session.due()."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The handshake succeeded: messages can be said."""


@dataclass(frozen=True, slots=True)
class Lost:
    """There is no connection (any more)."""

    why: str


@dataclass(frozen=True, slots=True)
class Came:
    """A frame came."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Stands:
    """The journal was read again."""

    standing: Standing


@dataclass(frozen=True, slots=True)
class Waits:
    """The outbox was read again."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Checked:
    """An offer is believed so far; `wants` has to be fetched, its first from offset `at` on.

    `held`: it is what was accepted already, so that it asks for a look, and is not applied again.
    """

    offer: Offer
    wants: tuple[bytes, ...]
    at: int = 0
    held: bool = False


@dataclass(frozen=True, slots=True)
class Declined:
    """An offer is not believed."""

    offer: Offer
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Over:
    """An offer was applied or planned, however that ended; `refused`: why it was not, if so."""

    offer: Offer
    refused: str = ""  # the code: "stale" …


@dataclass(frozen=True, slots=True)
class Written:
    """Of a blob, so many bytes are on the disk."""

    blob: bytes
    size: int


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob is on the disk, whole."""

    blob: bytes


@dataclass(frozen=True, slots=True)
class Spoiled:
    """A blob could not be kept."""

    blob: bytes
    why: str


@dataclass(frozen=True, slots=True)
class Say:
    """A job has ended that the master asked for: this is its answer."""

    message: Message


@dataclass(frozen=True, slots=True)
class Wanted:
    """A certificate is wanted for a resource."""

    request: int
    resource: str
    csr: bytes  # DER


@dataclass(frozen=True, slots=True)
class Anew:
    """What was done since may have cut this node off: open a new connection, now."""


Input = (
    Tick
    | Opened
    | Lost
    | Came
    | Stands
    | Waits
    | Checked
    | Declined
    | Over
    | Written
    | Kept
    | Spoiled
    | Say
    | Wanted
    | Anew
)


# Outputs


@dataclass(frozen=True, slots=True)
class Open:
    """Open a socket."""


@dataclass(frozen=True, slots=True)
class Close:
    """Close the socket."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message."""

    message: Message


@dataclass(frozen=True, slots=True)
class SendHealth:
    """Send Health, as it is now."""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class SendCondition:
    """Send Condition, as it is now, if that is known."""


@dataclass(frozen=True, slots=True)
class Check:
    """Verify an offer and say what it lacks: answered by Checked or Declined."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class Write:
    """Write a part of a blob: answered by Written, Kept (its last part) or Spoiled."""

    blob: bytes
    offset: int
    size: int  # of the whole blob
    data: bytes


@dataclass(frozen=True, slots=True)
class Take:
    """All is here: accept this document and apply it, or plan this proposal."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class Refuse:
    """Tell what became of an offer that is not taken. "superseded": a newer one came."""

    offer: Offer
    reason: str
    why: str


@dataclass(frozen=True, slots=True)
class Look:
    """Look at everything now; the answer is a Say of Looked."""

    turn: int


@dataclass(frozen=True, slots=True)
class Read:
    """Read this node for who wants to adopt it; the answer is Says of Reading."""

    turn: int


@dataclass(frozen=True, slots=True)
class Leave:
    """Leave drift alone from now on, or, with none, no longer: a believed lease says so."""

    hold: Hold | None
    since: float  # when the lease's nonce was sent, monotonic: what is left counts from then


@dataclass(frozen=True, slots=True)
class LetGo:
    """The master has removed this node: where nothing stands on it any more, it is a node no more.

    Nobody signed that: it undoes nothing, and frees only what a signed document has emptied.
    """


@dataclass(frozen=True, slots=True)
class Acked:
    """Everything in the outbox up to this number may go; answered by Waits."""

    seq: int


@dataclass(frozen=True, slots=True)
class Give:
    """The answer to Wanted: PEM; or empty, and why not."""

    request: int
    chain: bytes
    why: str = ""


Output = (
    Open
    | Close
    | Send
    | SendHealth
    | SendCondition
    | Check
    | Write
    | Take
    | Refuse
    | Look
    | Read
    | Leave
    | LetGo
    | Acked
    | Give
)
