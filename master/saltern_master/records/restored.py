"""That this store is an older copy which was brought back, and what follows from it.

    restored    when the copy was taken and when it was brought back

* Nobody knows how far things went after the copy. So numbers go on far above: node's versions and
  turns are AHEAD higher than in the copy, and none is given twice, whoever is not connected.
* Nor does anybody know which of the tokens were used after it, so none is good any more.
* The record stands until a cluster file is applied: then nodes have newer documents than any that
  were made after the copy.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from saltern_master.records.codec import Held, Record, hold, holds
from saltern_master.records.nodes import PREFIX, Node
from saltern_master.records.tokens import PREFIX as TOKENS
from saltern_master.records.tokens import Token
from saltern_master.records.turns import newest_turn
from saltern_master.store import Store, Write

RESTORED: Final = "restored"
AHEAD: Final = 10_000
"""More applies than there are between two backups that anybody would bring back."""


class Restored(Record, frozen=True):
    """An older copy was brought back. Times are seconds since 1970."""

    taken: float
    at: float
    turn: int  # turns go on above this number


def hold_restored(store: Store) -> Held[Restored]:
    """Read it; nothing: this store is no older copy, or a cluster file was applied since."""
    return hold(store, RESTORED, Restored)


def restored(store: Store, taken: float, now: float) -> tuple[Write, ...]:
    """Give the writes that make a copy go on above what may have been since it was taken.

    A token that was used since would be good for a second machine, so all unused ones go.
    """
    mark = Restored(taken=taken, at=now, turn=newest_turn(store) + AHEAD)
    writes: list[Write] = list(hold_restored(store).replaced(mark))
    for held in holds(store, PREFIX, Node):
        if held.value is not None:
            writes += held.replaced(replace(held.value, version=held.value.version + AHEAD))
    for token in holds(store, TOKENS, Token):
        if token.value is not None and not token.value.used_by:
            writes += token.deleted()
    return tuple(writes)
