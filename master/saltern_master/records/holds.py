"""Holds: that a person works on a node, so that drift there is told and left alone for so long.

    hold/NODE    the hold of that node

* A node has at most one: who holds it again, for longer or for shorter, has the last word.
* It belongs to one incarnation: who joins anew under the name is not held.
* One that is over is taken away by whoever comes by (ended() says which); until then it counts for
  nothing, since its end is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from saltern_master.records.codec import Record, every, put
from saltern_master.store import Delete, Store, Write

PREFIX: Final = "hold/"


class PersonHold(Record, frozen=True):
    """One node's hold. Times are seconds since 1970, by the master's clock."""

    node: str
    incarnation: str
    since: float
    until: float
    why: str
    by: str


def hold_key(node: str) -> str:
    """Where a node's hold stands."""
    return PREFIX + node


def every_hold(store: Store) -> tuple[PersonHold, ...]:
    """Give all of them, in order of names; also those that are over."""
    return every(store, PREFIX, PersonHold)


def put_holds(holds: Iterable[PersonHold]) -> tuple[Write, ...]:
    """Give the writes of holds, each in place of the one before."""
    return tuple(put(hold_key(one.node), one) for one in holds)


def released(nodes: Iterable[str]) -> tuple[Write, ...]:
    """Give the writes that end them."""
    return tuple(Delete(hold_key(name)) for name in nodes)


def begun_anew(hold: PersonHold, now: float) -> PersonHold:
    """Give one that begins now, and is as long as it was given."""
    return replace(hold, since=now, until=now + hold.until - hold.since)


def ended(
    holds: Iterable[PersonHold], incarnations: Mapping[str, str], now: float
) -> tuple[str, ...]:
    """Name those that count no more: over, or of a node that is gone or has joined anew."""
    return tuple(
        one.node
        for one in holds
        if one.until <= now or incarnations.get(one.node) != one.incarnation
    )
