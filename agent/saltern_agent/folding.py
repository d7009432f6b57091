"""Folding: items that tell the same, one after the other, become one that says how often.

A node whose master is away for weeks, and whose files somebody fights over or that is offered the
same bad document every minute, would fill its disk with what it has to tell. Laws:

* Nothing that happened goes untold: what was folded is counted, and told with its first time.
* Only what waits behind the next BATCH_ITEMS is touched: a Report that is on its way holds no more
  than those, and the master takes no number twice.
* A refusal is folded with an equal one: same turn, document, reason and text. A drift that ended is
  folded with an earlier one of the same resource that was found and ended alike, once more than
  `many` items wait. Of an open drift that is found to be something else again and again, the first
  finding and the last stay.
* Where `many` wait, a drift is told without its diffs, the largest part of it: `found` says what it
  is, and the node's own journal has them.
* Where the outbox is `crowded`, any drift that ended of the same resource and any refusal of the
  same reason is alike, but for answers to the master's own turns. So its size has a bound: what was
  there, a few items for each resource, and one for each reason.

The table `alike` says of an item what it is alike to. Its rows go with their items.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from msgspec import structs
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Item, Outcome
from saltern_protocol.wire import pack, unpack

MAX_ITEM_BYTES = 200 * 1024
MAX_TEXT = 4096

SCHEMA = """
CREATE TABLE IF NOT EXISTS alike (
    seq INTEGER PRIMARY KEY, key BLOB NOT NULL, times INTEGER NOT NULL, since INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS alike_key ON alike (key, seq);
"""


class Mark(NamedTuple):
    """What an item is alike to, how often that happened, and since when (microseconds)."""

    key: bytes
    times: int
    since: int


class Crowd(NamedTuple):
    """How full the outbox is, and the first number that may be folded."""

    first: int
    many: bool
    crowded: bool


def fold(db: sqlite3.Connection, item: Item, crowd: Crowd) -> tuple[Item, Mark | None]:
    """Take away what a new item says as well; give what is to be said, and its mark."""
    if isinstance(item, DriftSeen):
        if crowd.many:
            _thin(db, item, crowd)
            item = structs.replace(item, detail="")
        return item, Mark(_open(item.number), 1, item.since_us)
    if isinstance(item, DriftEnded):
        return _fold_drift(db, item, crowd)
    if item.outcome is Outcome.REFUSED:
        return _fold_refusal(db, item, crowd)
    return item, None


def _fold_refusal(db: sqlite3.Connection, item: Applied, crowd: Crowd) -> tuple[Item, Mark]:
    same: tuple[object, ...] = (item.turn, item.epoch, item.version, item.body, item.why)
    if crowd.crowded and not item.turn:
        same = ()
    mark = Mark(_key("refused", item.reason, *same), 1, item.at_us)
    earlier = _earlier(db, mark.key, crowd)
    if earlier is None:
        return item, mark
    seq, mark = earlier
    _take_away(db, (seq,))
    return structs.replace(item, why=_told(item.why, mark)), mark


def _fold_drift(db: sqlite3.Connection, item: DriftEnded, crowd: Crowd) -> tuple[Item, Mark | None]:
    seen = _seqs(db, _open(item.number))
    if not seen:
        return item, None  # its beginning was told already
    found = _read(db, seen[-1])
    if not isinstance(found, DriftSeen):
        return item, None
    same = () if crowd.crowded else (found.kind, *found.found, item.outcome)
    mark = Mark(_key("ended", item.resource, *same), 1, found.since_us)
    earlier = _earlier(db, mark.key, crowd) if crowd.many else None
    if earlier is None:
        return item, mark
    seq, after = earlier
    ended = _read(db, seq)
    begun = _seqs(db, _open(ended.number)) if isinstance(ended, DriftEnded) else ()
    if not begun or begun[0] < crowd.first:
        return item, mark
    _take_away(db, (*begun, seq))
    return structs.replace(item, outcome=_told(item.outcome, after)), after


def _thin(db: sqlite3.Connection, item: DriftSeen, crowd: Crowd) -> None:
    """Of what an open drift was found to be, leave the first; the last is about to come."""
    between = _seqs(db, _open(item.number))[1:]
    _take_away(db, tuple(seq for seq in between if seq >= crowd.first))


def _earlier(db: sqlite3.Connection, key: bytes, crowd: Crowd) -> tuple[int, Mark] | None:
    """Give the item that is alike and may be touched, and the mark of both together."""
    row = db.execute(
        "SELECT seq, times, since FROM alike WHERE key = ? ORDER BY seq DESC LIMIT 1", (key,)
    ).fetchone()
    if row is None or row[0] < crowd.first:
        return None
    return row[0], Mark(key, row[1] + 1, row[2])


def _seqs(db: sqlite3.Connection, key: bytes) -> tuple[int, ...]:
    rows = db.execute("SELECT seq FROM alike WHERE key = ? ORDER BY seq", (key,))
    return tuple(seq for (seq,) in rows)


def _read(db: sqlite3.Connection, seq: int) -> Item:
    (data,) = db.execute("SELECT item FROM outbox WHERE seq = ?", (seq,)).fetchone()
    return unpack(data, Item, MAX_ITEM_BYTES)  # type: ignore[arg-type]


def _take_away(db: sqlite3.Connection, seqs: tuple[int, ...]) -> None:
    for table in ("outbox", "alike"):
        db.executemany(f"DELETE FROM {table} WHERE seq = ?", ((seq,) for seq in seqs))


def _told(text: str, mark: Mark) -> str:
    since = datetime.fromtimestamp(mark.since / 1e6, UTC).isoformat(timespec="seconds")
    told = f" (this and its like: {mark.times} times since {since})"
    return text[: MAX_TEXT - len(told)] + told


def _open(number: int) -> bytes:
    return b"open %d" % number


def _key(*parts: object) -> bytes:
    """Give what equal parts share."""
    return sha256(pack(list(parts))).digest()
