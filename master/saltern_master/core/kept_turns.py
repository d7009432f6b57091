"""Turns in the store: a head for each, and a line for each node in it.

    turns/N            the turn without its nodes
    standings/N/NODE   how a node stands in it

So a node's word costs one short line, however many nodes there are. KEPT turns are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec.structs import replace

from saltern_master.core.turns import Standing, Turn
from saltern_master.records.codec import hold, holds, numbered, put
from saltern_master.records.turns import newest_turn, turn_key
from saltern_master.store import Delete, Store, Write

KEPT: Final = 500


def turn_writes(turn: Turn, nodes: Iterable[str]) -> Iterator[Write]:
    """Give the writes of a turn in which these nodes stand otherwise than before."""
    yield put(turn_key(turn.number), replace(turn, nodes={}))
    for name in nodes:
        yield put(_prefix(turn.number) + name, turn.nodes[name])


def read_turn(store: Store, number: int) -> Turn | None:
    """Give a turn, or None."""
    head = hold(store, turn_key(number), Turn).value
    if head is None:
        return None
    prefix = _prefix(number)
    nodes = {
        held.key.removeprefix(prefix): held.value
        for held in holds(store, prefix, Standing)
        if held.value is not None
    }
    return replace(head, nodes=nodes)


def recent_turns(store: Store, most: int) -> Iterator[Turn]:
    """Give the newest turns, the oldest of them first."""
    newest = newest_turn(store)
    for number in range(max(1, newest - most + 1), newest + 1):
        turn = read_turn(store, number)
        if turn is not None:
            yield turn


def outlived(store: Store, newest: int) -> Iterator[Write]:
    """Give the deletions of the turn that the newest one makes too many."""
    number = newest - KEPT
    if number < 1:
        return
    yield Delete(turn_key(number))
    for held in holds(store, _prefix(number), Standing):
        yield Delete(held.key)


def _prefix(number: int) -> str:
    return f"standings/{numbered(number)}/"
