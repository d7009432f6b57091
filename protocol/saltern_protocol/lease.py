"""A lease: the master's signed word, minutes old, which document is the current one of a node.

* It says that nothing newer was held back. It makes no document good and ends none: a node
  whose lease ran out holds what it accepted, and tells that it may be behind.
* Fresh is what answers the nonce that the node has just made. Its life counts from when that
  nonce was sent, by a monotonic clock, and never for longer than LEASE_SECONDS; `issued` and
  `expires` are read by people, and subtracted. A node's wall clock decides nothing.
* The root's lease keys sign it (docs/adr/0018), which sign nothing else: whoever steals one can
  call an old document current, and can make none.
* Trust.lease() is the one way to believe one.
"""

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct

from saltern_protocol import envelope, wire
from saltern_protocol.documents import PayloadType
from saltern_protocol.errors import MalformedError
from saltern_protocol.keys import PrivateKey
from saltern_protocol.messages import Nonce
from saltern_protocol.terms import (
    MAX_COUNT,
    MOST_HELD,
    Count,
    Digest,
    Incarnation,
    Name,
    Seconds,
)

LEASE_SECONDS = 900  # how long one lasts
RENEW_SECONDS = 300  # how often a node asks for the next: two may be lost
MAX_LEASE_BYTES = 4 * 1024


class Hold(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Drift of the node is told and left alone for so long: somebody works there.

    `left` counts from when the lease's nonce was sent, by the node's monotonic clock. A document
    that comes meanwhile is applied all the same: somebody asked for that as well.
    """

    left: Annotated[int, Meta(ge=1, le=MOST_HELD)]  # seconds
    why: Annotated[str, Meta(min_length=1, max_length=200)]
    by: Annotated[str, Meta(min_length=1, max_length=64)]  # a person, or "window NAME"


class LeasePayload(Struct, frozen=True, kw_only=True, tag_field="type", tag="lease/1"):
    """What is signed. Version 0 and no document: there is none for this node yet."""

    cluster: Name
    node: Name
    incarnation: Incarnation
    epoch: Count  # the root's
    version: Annotated[int, Meta(ge=0, le=MAX_COUNT)]
    document: Digest | None  # documents.document_hash
    issued: Seconds
    expires: Seconds
    nonce: Nonce
    hold: Hold | None = None  # none: drift is treated as the body says

    def __post_init__(self) -> None:
        if not 0 < self.expires - self.issued <= LEASE_SECONDS:
            raise MalformedError(
                f"cannot read a lease of {self.expires - self.issued} seconds: "
                f"1 to {LEASE_SECONDS} are one"
            )
        if (self.version == 0) != (self.document is None):
            raise MalformedError(
                f"cannot read a lease of version {self.version}: version 0, and only that, "
                "has no document"
            )

    @property
    def life(self) -> int:
        """Give for how many seconds it vouches, from when its nonce was sent."""
        return self.expires - self.issued


def encode_lease(lease: LeasePayload) -> bytes:
    """Give the payload to sign; MalformedError if no node could read it."""
    return wire.pack_checked(lease, MAX_LEASE_BYTES)


def decode_lease(payload: bytes) -> LeasePayload:
    """Read a payload that envelope.verify() gave."""
    return wire.unpack(payload, LeasePayload, MAX_LEASE_BYTES)


def sign_lease(lease: LeasePayload, keys: Iterable[PrivateKey]) -> bytes:
    """Give the envelope that messages.Lease carries."""
    return envelope.sign(PayloadType.LEASE, encode_lease(lease), keys)
