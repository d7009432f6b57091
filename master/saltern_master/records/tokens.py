"""Join tokens, by the SHA-256 of what they carry: the secret itself is nowhere in the store.

A token without a secret stands under the hash of its node's name: there is one at a time, and a
machine that uses it has to be approved.
"""

from __future__ import annotations

from hashlib import sha256

from saltern_master.records.codec import Held, Record, every, hold
from saltern_master.store import Store

PREFIX = "tokens/"


class Token(Record, frozen=True):
    """Which node it makes. Times are seconds since 1970."""

    id: str  # 64 digits; people are shown the first 12
    node: str
    node_class: str
    made: float
    expires: float
    approval: bool = False  # it carries no secret: an operator approves
    used_by: str = ""  # the CURVE key that it was used with, 64 digits
    used_at: float = 0.0


def token_id(secret: bytes, node: str) -> str:
    """Give by what a token is found: the secret, or the name where it has none."""
    return sha256(secret or b"approval of " + node.encode()).hexdigest()


def token_key(identifier: str) -> str:
    """Where a token stands."""
    return PREFIX + identifier


def hold_token(store: Store, secret: bytes, node: str) -> Held[Token]:
    """Read the token that this secret belongs to."""
    return hold(store, token_key(token_id(secret, node)), Token)


def every_token(store: Store) -> tuple[Token, ...]:
    """Give all tokens, used and expired ones too."""
    return every(store, PREFIX, Token)
