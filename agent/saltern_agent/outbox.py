"""The outbox: what the master has yet to be told, in the journal's own file.

* An item is written in the transaction of what it tells of, so neither is there without the other.
* Items are numbered in their order and never twice; they leave in it, once they were acknowledged.
  A Report holds neighbours only: where items were folded into a later one, their numbers are gone.
* A new table begins at the time in microseconds: a journal that took the place of a damaged one
  numbers above it, since the master takes no number anew that it has taken already.
* Drift and results are never dropped; what tells the same is folded (folding.py). Where more than
  MAX_ITEMS wait, the node takes no new document: it goes on holding the one that it has.
* A node that has joined no master has no outbox: NoOutbox keeps nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from saltern_protocol.messages import MAX_ITEMS as MAX_IN_REPORT
from saltern_protocol.report import Item
from saltern_protocol.wire import pack, unpack

from saltern_agent import folding
from saltern_agent.folding import MAX_ITEM_BYTES, Crowd, fold

MAX_ITEMS = 50_000
MANY = 1_000  # beyond which drift that ended alike is folded
BATCH_BYTES = 128 * 1024
BATCH_ITEMS = min(MAX_IN_REPORT, 50)  # the largest hold 270 values each, and a message 20,000

SCHEMA = f"""{folding.SCHEMA}
CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, item BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS asked (one INTEGER PRIMARY KEY CHECK (one = 1), turn INTEGER NOT NULL);
"""

FIRST = """
INSERT INTO sqlite_sequence (name, seq)
SELECT 'outbox', max(0, ?) WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'outbox');
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """The oldest items, as many as go into one Report, and how many there are in all."""

    first: int = 0  # the number of the first; 0: there are none
    items: tuple[Item, ...] = ()
    waiting: int = 0


class Outbox(Protocol):
    """Where a journal puts what is to be told; each call is part of the journal's transaction."""

    def begin(self, db: sqlite3.Connection) -> None:
        """The journal was opened, or made."""
        ...

    def put(self, db: sqlite3.Connection, item: Item) -> None:
        """Add an item."""
        ...

    def full(self, db: sqlite3.Connection) -> bool:
        """Say whether so much waits that no new document may come."""
        ...

    def written(self) -> None:
        """A transaction was committed."""
        ...


@dataclass(frozen=True, slots=True)
class NoOutbox:
    """Nobody is told."""

    def begin(self, db: sqlite3.Connection) -> None:
        """Nothing."""

    def put(self, db: sqlite3.Connection, item: Item) -> None:
        """Nothing."""

    def full(self, db: sqlite3.Connection) -> bool:
        """Never."""
        return False

    def written(self) -> None:
        """Nothing."""


@dataclass(frozen=True, slots=True)
class TableOutbox:
    """Items wait in a table; `changed` is called, in the writer's thread, after each commit."""

    changed: Callable[[], None]
    most: int = MAX_ITEMS
    many: int = MANY
    clock: Callable[[], float] = lambda: 0.0  # Unix seconds

    def begin(self, db: sqlite3.Connection) -> None:
        """Say from where on to number, if nothing was numbered yet."""
        db.execute(FIRST, (round(self.clock() * 1_000_000),))

    def put(self, db: sqlite3.Connection, item: Item) -> None:
        """Add an item, and take away what it says as well."""
        first = _range(db)[0] + BATCH_ITEMS
        crowd = Crowd(first, _more_than(db, self.many), _more_than(db, self.most))
        item, mark = fold(db, item, crowd)
        seq = db.execute("INSERT INTO outbox (item) VALUES (?)", (pack(item),)).lastrowid
        if mark is not None:
            db.execute("INSERT INTO alike VALUES (?, ?, ?, ?)", (seq, *mark))

    def full(self, db: sqlite3.Connection) -> bool:
        """Say whether so much waits that no new document may come."""
        return _more_than(db, self.most)

    def written(self) -> None:
        """A transaction was committed."""
        self.changed()


def waiting(db: sqlite3.Connection) -> int:
    """Count the items."""
    return int(db.execute("SELECT count(*) FROM outbox").fetchone()[0])


def _range(db: sqlite3.Connection) -> tuple[int, int]:
    """Give the first number and the one behind the last; there may be gaps."""
    first, last = db.execute("SELECT min(seq), max(seq) FROM outbox").fetchone()
    return (first, last + 1) if first is not None else (0, 0)


def _more_than(db: sqlite3.Connection, number: int) -> bool:
    """Say whether more items wait; they are counted only where their numbers allow for it."""
    first, end = _range(db)
    return end - first > number and waiting(db) > number


def oldest(db: sqlite3.Connection) -> Batch:
    """Give what the next Report tells. MalformedError: an item of another release."""
    items: list[Item] = []
    first = size = 0
    for seq, data in db.execute(
        "SELECT seq, item FROM outbox ORDER BY seq LIMIT ?", (BATCH_ITEMS,)
    ):
        size += len(data)
        if items and (size > BATCH_BYTES or seq != first + len(items)):
            break
        first = first or seq
        items.append(unpack(data, Item, MAX_ITEM_BYTES))  # type: ignore[arg-type]
    return Batch(first, tuple(items), waiting(db))


def forget(db: sqlite3.Connection, seq: int) -> None:
    """Delete what was acknowledged: everything up to a number."""
    db.execute("DELETE FROM outbox WHERE seq <= ?", (seq,))
    db.execute("DELETE FROM alike WHERE seq <= ?", (seq,))
