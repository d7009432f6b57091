"""Rollouts in the store: a head for each, and an entry for each of its nodes.

    rollouts/N              the rollout without its nodes, and what is counted of them
    rollout-nodes/N/NODE    how far a node is, and the turn that brought its document

So an event costs the head and the nodes that it moved. KEPT rollouts are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct, field
from msgspec.structs import replace

from saltern_master.records.codec import Record, every, hold, holds, newest_number, numbered, put
from saltern_master.records.codec import read as read_record
from saltern_master.records.revisions import hold_revision
from saltern_master.rollouts.model import OVER, Node, Rollout
from saltern_master.rollouts.telling import failures
from saltern_master.store import Delete, Put, Store, Write

PREFIX: Final = "rollouts/"
FILES: Final = "rollout-files/"
KEPT: Final = 100


class Head(Record, frozen=True):
    """All of a rollout but its nodes. Times are seconds since 1970."""

    rollout: Rollout  # its `nodes` is empty
    by: str = ""
    target: str = ""
    queued: bool = False  # it has not begun; its cluster file is under rollout-files/
    open: bool = True  # something may still have to be done for it
    ended: float = 0.0  # 0: not yet
    undone_by: int = 0
    notes: tuple[str, ...] = ()
    stages: dict[str, int] = field(default_factory=dict)
    total: int = 0
    failed: int = 0
    may_fail: int = 0


class KeptNode(Struct, frozen=True):
    """One of its nodes. `turn`: that its document went out with; 0: it was not given it yet."""

    node: Node
    place: int  # among all, in the order of the waves
    turn: int = 0


def head_of(head: Head, rollout: Rollout) -> Head:
    """Give the head of a rollout as it is now."""
    failed, may_fail = failures(rollout)
    return replace(
        head,
        rollout=replace(rollout, nodes={}),
        stages=dict(Counter(one.stage for one in rollout.nodes.values())),
        total=len(rollout.nodes),
        failed=failed,
        may_fail=may_fail,
    )


def put_head(head: Head) -> Put:
    """Give the write of a head."""
    return put(PREFIX + numbered(head.rollout.number), head)


def put_node(number: int, name: str, kept: KeptNode) -> Put:
    """Give the write of one node."""
    return put(_nodes(number) + name, kept)


def put_file(number: int, file: bytes) -> Put:
    """Give the write of a queued rollout's cluster file."""
    return Put(FILES + numbered(number), file)


def drop_file(number: int) -> Delete:
    """Give the write that takes it away."""
    return Delete(FILES + numbered(number))


def read_file(store: Store, number: int) -> bytes:
    """Give a queued rollout's cluster file; empty: there is none."""
    entry = store.get(FILES + numbered(number))
    return entry.value if entry is not None else b""


def newest_rollout(store: Store) -> int:
    """Give the number of the rollout that was asked for last; 0: none."""
    return newest_number(store, PREFIX)


def read_head(store: Store, number: int) -> Head | None:
    """Give a rollout without its nodes."""
    return hold(store, PREFIX + numbered(number), Head).value


def newest_heads(store: Store, most: int) -> tuple[Head, ...]:
    """Give the newest rollouts without their nodes, the newest first."""
    return tuple(read_record(one, Head) for one in store.list(PREFIX, most=most, newest=True))


def open_heads(store: Store) -> tuple[Head, ...]:
    """Give those for which something may still have to be done, the oldest first."""
    return tuple(one for one in every(store, PREFIX, Head) if one.open)


def read_nodes(store: Store, number: int) -> Mapping[str, KeptNode]:
    """Give a rollout's nodes, in the order of its waves."""
    prefix = _nodes(number)
    found = {
        held.key.removeprefix(prefix): held.value
        for held in holds(store, prefix, KeptNode)
        if held.value is not None
    }
    return dict(sorted(found.items(), key=lambda one: one[1].place))


def needed_bodies(store: Store) -> frozenset[str]:
    """Name the bodies that open rollouts give, or go back to."""
    numbers = {
        number
        for head in open_heads(store)
        for number in (head.rollout.revision, head.rollout.before)
    }
    held = (hold_revision(store, number).value for number in sorted(numbers))
    return frozenset(body for one in held if one is not None for body in one.bodies.values())


def outlived(store: Store, newest: int) -> Iterator[Write]:
    """Give the deletions of the rollout that the newest one makes too many."""
    head = read_head(store, newest - KEPT) if newest > KEPT else None
    if head is None or head.queued or head.rollout.phase not in OVER:
        return
    yield Delete(PREFIX + numbered(newest - KEPT))
    for held in holds(store, _nodes(newest - KEPT), KeptNode):
        yield Delete(held.key)


def _nodes(number: int) -> str:
    return f"rollout-nodes/{numbered(number)}/"
