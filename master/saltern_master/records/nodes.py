"""Nodes, whose keys are whose, and machines that wait to be let in.

* A key belongs to one name at a time: keys/KEY is written with nodes/NAME, in one commit.
* `locked` is a node whose key two machines have: it is not heard, and still one of the cluster.
* `offline` is a node that documents are signed for by hand and that never joined.
* What a machine wrote (facts, kinds, release) is kept as it came and decides nothing here. Facts
  are flat or nearly: what is nested deeply is read from some depth of a stack and not from another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from saltern_master.records.codec import Held, Record, every, hold, holds
from saltern_master.store import Store

PREFIX = "nodes/"
MOST_DEEP: Final = 8
"""Lists and maps within one another, in facts."""

State = Literal["offline", "joined", "locked", "revoked", "removing", "removed"]


class Node(Record, frozen=True):
    """A node. A machine that waits for its approval is Pending and no node yet."""

    name: str
    node_class: str
    state: State
    incarnation: str  # 32 digits, new at each enrolment
    key: str = ""  # CURVE, 64 digits; "": it never joined
    sealing: str = ""  # X25519, 64 digits
    facts: Mapping[str, object] = {}  # pinned: what compile uses; {}: none were brought
    facts_now: Mapping[str, object] = {}  # what its last Hello told
    kinds: tuple[str, ...] = ()
    release: str = ""
    version: int = 0  # of the newest document that was signed for this incarnation
    document: str = ""  # its hash, 64 digits
    body: str = ""  # its body's hash, 64 digits
    enrolled_at: float = 0.0
    locked_at: float = 0.0


class Owner(Record, frozen=True):
    """Whose key it is. A key that was revoked stays, so that it never comes back."""

    node: str
    revoked: bool = False


class Pending(Record, frozen=True):
    """A machine that showed a key and no secret."""

    node: str
    node_class: str
    key: str
    sealing: str
    facts: Mapping[str, object]
    kinds: tuple[str, ...]
    release: str
    asked: float  # first
    expires: float  # with its token


def node_key(name: str) -> str:
    """Where a node stands."""
    return PREFIX + name


def owner_key(key: str) -> str:
    """Where it stands whose key this is (64 digits)."""
    return f"keys/{key}"


def pending_key(node: str, key: str) -> str:
    """Where a waiting machine stands."""
    return f"{pending_prefix(node)}{key}"


def pending_prefix(node: str) -> str:
    """Where all machines stand that wait to become this node."""
    return f"pending/{node}/"


def hold_node(store: Store, name: str) -> Held[Node]:
    """Read a node."""
    return hold(store, node_key(name), Node)


def every_node(store: Store) -> tuple[Node, ...]:
    """Give all nodes by name, those that were removed too."""
    return every(store, PREFIX, Node)


def hold_pending(store: Store, node: str = "") -> tuple[Held[Pending], ...]:
    """Read the machines that wait to become this node; "": any node."""
    return tuple(holds(store, pending_prefix(node) if node else "pending/", Pending))


def read_facts(data: bytes) -> dict[str, object]:
    """Read facts as a machine sent them; ValueError for what is no JSON object, or too deep."""
    try:
        facts = msgspec.json.decode(data or b"{}", type=dict[str, object])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot read the facts of a machine: {error}") from error
    layer: list[object] = [facts]
    for _ in range(MOST_DEEP):
        layer = [below for value in layer for below in _members(value)]
    if layer:
        raise ValueError(f"cannot read the facts of a machine: they are deeper than {MOST_DEEP}")
    return facts


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
