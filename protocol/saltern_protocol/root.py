"""The root: which keys may speak as what. Everything else is believed because of it.

* A role is a set of distinct keys and how many of them must agree; a threshold that
  the keys cannot reach, or a key named twice, is no role.
* The epoch rises when versions have to start afresh: after somebody used up the
  version numbers, or after a key was stolen. Versions compare as (epoch, version).
"""

from typing import Annotated

from msgspec import Meta, Struct

from saltern_protocol import wire
from saltern_protocol.errors import MalformedError
from saltern_protocol.keys import PublicKey
from saltern_protocol.terms import Count, Name, Seconds

MAX_BYTES = 16 * 1024
MAX_KEYS = 16


class Role(Struct, frozen=True, kw_only=True):
    """The keys that may sign as this role, and how many distinct ones must."""

    keys: Annotated[tuple[PublicKey, ...], Meta(min_length=1, max_length=MAX_KEYS)]
    threshold: Count

    def __post_init__(self) -> None:
        distinct = len(frozenset(self.keys))
        if distinct != len(self.keys):
            raise MalformedError(f"cannot make a role of {len(self.keys)} keys: one stands twice")
        if not 1 <= self.threshold <= distinct:
            raise MalformedError(
                f"cannot make a role of {distinct} keys with a threshold of {self.threshold}"
            )


class Roles(Struct, frozen=True, kw_only=True):
    """Who may sign the next root, the policy, the documents, and the leases on them."""

    root: Role
    policy: Role
    state: Role
    lease: Role


class Root(Struct, frozen=True, kw_only=True, tag_field="type", tag="root/1"):
    """One version of a cluster's root. Version N+1 is signed by both N's keys and its own."""

    cluster: Name
    version: Count
    epoch: Count
    expires: Seconds
    roles: Roles


def encode_root(root: Root) -> bytes:
    """Give the payload to sign; MalformedError if no node could read it."""
    return wire.pack_checked(root, MAX_BYTES)


def decode_root(payload: bytes) -> Root:
    """Read a root; trust.py says when it may be believed."""
    return wire.unpack(payload, Root, MAX_BYTES)
