"""The way back: what a node was held to before its newest document, in the journal's own file.

At most one row, of one statement (none: there was no document yet), in one of three phases:

    spare   the newest document is being gone through; nothing of it waits for a proof
    trial   a change that could cut the node off was about to be made; `until` is its time
    back    it was not proved: this statement is what the node is held to, and not the accepted one

* It is written by the very transaction that accepts a document, so it costs no commit of its own,
  and goes with the one that says how the document was gone through. Only `back` outlives that.
* What is kept is what was held and gone through to its end: a document that took the place of one
  that was not keeps the older row, and one that follows a taking back keeps what is held.
* `until` is monotonic seconds of the boot in which it was written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS way_back (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    statement BLOB, at REAL NOT NULL, phase TEXT NOT NULL, until REAL NOT NULL, why TEXT NOT NULL);
"""

Writing = Callable[[], AbstractContextManager[sqlite3.Connection]]
Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class WayBack:
    """The row. `statement` None: nothing was held before."""

    statement: bytes | None
    at: float
    phase: str
    until: float
    why: str


@dataclass(frozen=True, slots=True)
class WaysBack:
    """The row as a journal's user has it. Every method: JournalError."""

    writing: Writing
    rows: Rows

    def read(self) -> WayBack | None:
        """Give the row."""
        rows = self.rows("SELECT statement, at, phase, until, why FROM way_back")
        return WayBack(*rows[0]) if rows else None

    def try_until(self, until: float) -> None:
        """A change is about to be made that has to be proved until then."""
        self._set("trial", until, "")

    def spare(self) -> None:
        """It was proved; the document is still being gone through."""
        self._set("spare", 0.0, "")

    def go_back(self, why: str) -> None:
        """It was not proved: from now on the node is held to what it was held to before."""
        with self.writing() as db:
            db.execute("UPDATE way_back SET phase = 'back', until = 0, why = ?", (why,))
            db.execute("UPDATE accepted SET unfinished = 1")

    def _set(self, phase: str, until: float, why: str) -> None:
        with self.writing() as db:
            db.execute("UPDATE way_back SET phase = ?, until = ?, why = ?", (phase, until, why))


def keep(db: sqlite3.Connection) -> None:
    """A statement is about to be accepted: keep what is held now."""
    row = db.execute("SELECT phase FROM way_back").fetchone()
    held = db.execute("SELECT unfinished FROM accepted").fetchone()
    if row and row[0] == "back":
        db.execute("UPDATE way_back SET phase = 'spare', why = ''")
    elif held is None:
        db.execute("INSERT OR IGNORE INTO way_back VALUES (1, NULL, 0, 'spare', 0, '')")
    elif row is None or not held[0]:
        db.execute(
            "INSERT OR REPLACE INTO way_back SELECT 1, statement, at, 'spare', 0, '' FROM accepted"
        )


def drop(db: sqlite3.Connection) -> None:
    """The accepted document was gone through, and proved where it had to be."""
    db.execute("DELETE FROM way_back WHERE phase != 'back'")
