"""Reading the log of drift: newest first, a little at a time, from where an earlier reading ended.

* The order is that of `recorded`, by the nodes' own clocks; what was recorded in one microsecond
  goes by node, number and incarnation. So every drift has one place, and going on behind it
  (`Place`) neither leaves one out nor gives one twice, whatever came meanwhile.
* A log is read in pages that grow: who wants ten of a thousand nodes reads some thousand records,
  not a million.
* A drift is named NODE:NUMBER; the number is its node's own. A node that joins anew begins to
  count anew: what an earlier incarnation told is named NODE:NUMBER@ and the first 8 of that one's
  digits. Where a name fits several (a node's journal was lost) it is the newest of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge
from itertools import islice
from typing import Final

from saltern_master.records.codec import PAGE, numbered, read
from saltern_master.records.drift import Drift
from saltern_master.store import Store

FIRST_PAGE: Final = 4
SHOWN_DIGITS: Final = 8
NAME: Final = re.compile(
    r"(?P<node>[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?):(?P<number>[0-9]{1,19})"
    r"(@(?P<incarnation>[0-9a-f]{1,32}))?\Z"
)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a drift stands among those of all nodes; the newest is the greatest."""

    recorded_us: int
    node: str
    number: int
    incarnation: str

    @classmethod
    def of(cls, drift: Drift) -> Place:
        """Give the place of a drift."""
        return cls(drift.recorded_us, drift.node, drift.number, drift.incarnation)


@dataclass(frozen=True, slots=True)
class DriftName:
    """A drift as a person names it."""

    node: str
    number: int
    incarnation: str = ""  # its first digits; "": any

    @classmethod
    def read(cls, text: str) -> DriftName | None:
        """Read NODE:NUMBER or NODE:NUMBER@DIGITS; None: it is neither."""
        found = NAME.match(text)
        if found is None:
            return None
        return cls(found["node"], int(found["number"]), found["incarnation"] or "")


def name_of(drift: Drift, incarnation: str) -> str:
    """Name a drift, where its node is of this incarnation now ("": not known)."""
    short = f"{drift.node}:{drift.number}"
    known = incarnation in ("", drift.incarnation)
    return short if known else f"{short}@{drift.incarnation[:SHOWN_DIGITS]}"


def log_of(
    store: Store, node: str, since_us: int = 0, until_us: int = 0, before: Place | None = None
) -> Iterator[Drift]:
    """Give one node's drift, newest first, that was recorded in this time. StoreError.

    `since_us` is the first microsecond, `until_us` the first that is too late (0: none is);
    `before`: only what stands behind it.
    """
    prefix, most = f"drift/{node}/", FIRST_PAGE
    after = _behind(prefix, node, until_us, before)
    while page := store.list(prefix, after=after, most=most, newest=True):
        for entry in page:
            drift = read(entry, Drift)
            if drift.recorded_us < since_us:
                return
            if before is None or Place.of(drift) < before:
                yield drift
        after, most = page[-1].key, min(4 * most, PAGE)


def _behind(prefix: str, node: str, until_us: int, before: Place | None) -> str:
    """Give the key that all that is looked for stands below; "": it is at the end of the log."""
    bounds = [until_us] if until_us else []
    if before is not None:
        bounds.append(before.recorded_us + (node <= before.node))
    return f"{prefix}{numbered(min(bounds))}" if bounds else ""


def newest_drift(store: Store, nodes: Iterable[str], most: int) -> tuple[Drift, ...]:
    """Give the newest drift of these nodes together."""
    logs = (log_of(store, name) for name in nodes)
    return tuple(islice(merge(*logs, key=Place.of, reverse=True), most))


def find_drift(store: Store, name: DriftName) -> Drift | None:
    """Give the newest drift of this name; None: there is none, or it is kept no longer."""
    return next((one for one in log_of(store, name.node) if _fits(one, name)), None)


def _fits(drift: Drift, name: DriftName) -> bool:
    return drift.number == name.number and drift.incarnation.startswith(name.incarnation)
