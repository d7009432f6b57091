"""The newest document of each node, as it was signed: what a node is given when it asks."""

from __future__ import annotations

from saltern_master.records.codec import Held, Record, hold
from saltern_master.store import Store


class Issued(Record, frozen=True):
    """A signed document. Hashes have 64 digits; times are seconds since 1970."""

    node: str
    incarnation: str
    epoch: int
    version: int
    issued: int
    expires: int
    document: str
    body: str
    envelope: bytes
    blobs: tuple[str, ...] = ()  # what the body needs, its own not among them
    expects: str = ""
    """The digest of the plan that it may be taken for, until its node has taken it; "": any."""


def document_key(node: str) -> str:
    """Where the newest document of a node stands."""
    return f"documents/{node}"


def hold_document(store: Store, node: str) -> Held[Issued]:
    """Read the newest document of a node."""
    return hold(store, document_key(node), Issued)
