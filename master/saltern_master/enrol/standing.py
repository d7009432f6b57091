"""What a decision about one machine and one name is made from, as it was read from the store."""

from __future__ import annotations

from dataclasses import dataclass

from saltern_protocol.keys import fingerprint

from saltern_master.errors import MasterError
from saltern_master.records.codec import Held, hold
from saltern_master.records.drift import Drift, open_drift
from saltern_master.records.nodes import (
    Node,
    Owner,
    Pending,
    hold_node,
    hold_pending,
    owner_key,
)
from saltern_master.records.tokens import Token, hold_token
from saltern_master.store import Store


class EnrolError(MasterError):
    """What an operator asked for cannot be. `code`: not-found, conflict, invalid."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Standing:
    """One name, one key, one token, and who else waits to be that node."""

    name: str
    key: str  # 64 digits
    token: Held[Token]
    node: Held[Node]
    owner: Held[Owner]
    pending: tuple[Held[Pending], ...]
    drift: tuple[Drift, ...]  # open on that node, told by who had the name before


def read_standing(store: Store, name: str, key: str, secret: bytes = b"") -> Standing:
    """Read all of it. StoreError.

    The token comes last: whoever uses it up has the name in the same transaction, so a name that
    was taken meanwhile is told by its token.
    """
    return Standing(
        name=name,
        key=key,
        node=hold_node(store, name),
        owner=hold(store, owner_key(key), Owner),
        pending=hold_pending(store, name),
        drift=open_drift(store, name),
        token=hold_token(store, secret, name),
    )


def shown(key: str) -> str:
    """Give the fingerprint of a key as people compare it."""
    return fingerprint(bytes.fromhex(key))
