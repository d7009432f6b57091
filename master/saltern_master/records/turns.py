"""Where turns stand; what a turn is core/turns.py says."""

from __future__ import annotations

from saltern_master.records.codec import newest_number, numbered
from saltern_master.store import Store

PREFIX = "turns/"


def turn_key(number: int) -> str:
    """Where a turn stands."""
    return PREFIX + numbered(number)


def newest_turn(store: Store) -> int:
    """Give the number of the turn that began last; 0: none."""
    return newest_number(store, PREFIX)
