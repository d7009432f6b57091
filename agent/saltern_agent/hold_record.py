"""The hold in force, in the journal's own file: for how long drift is left alone, why, and by whom.

At most one row. It has both clocks of when it was given: a journal that is read in the same boot
knows by the monotonic one how much is left, and one that is read after a reboot by the wall clock.
No hold is longer than was given, whatever was done to the wall clock meanwhile: where that stands
before the time at which the hold was given, nothing can be known of it, and it is over. The next
lease gives it again where it is not.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS hold (
    one INTEGER PRIMARY KEY CHECK (one = 1), began REAL NOT NULL, until REAL NOT NULL,
    monotonic REAL NOT NULL, why TEXT NOT NULL, doer TEXT NOT NULL);
"""

Writing = Callable[[], AbstractContextManager[sqlite3.Connection]]
Rows = Callable[[str], list[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True)
class Held:
    """A hold as the node keeps it. Seconds."""

    began: float  # when it was heard of, by the wall clock
    until: float  # by the wall clock: for people, and after a reboot
    monotonic: float  # its end by the monotonic clock of the boot in which it was given
    why: str
    by: str

    def left(self, wall: float, monotonic: float, rebooted: bool) -> float:
        """Give the seconds that are left of one that was read from the disk; 0: it is over."""
        if wall < self.began:
            return 0.0
        left = self.until - wall
        if not rebooted:
            left = min(left, self.monotonic - monotonic)
        return max(0.0, min(left, self.until - self.began))


@dataclass(frozen=True, slots=True)
class Holds:
    """The row as a journal's user has it. Every method: JournalError."""

    writing: Writing
    rows: Rows

    def read(self) -> Held | None:
        """Give the row."""
        rows = self.rows("SELECT began, until, monotonic, why, doer FROM hold")
        return Held(*rows[0]) if rows else None

    def keep(self, held: Held | None) -> None:
        """Put this in the row's place; None: there is none any more."""
        with self.writing() as db:
            db.execute("DELETE FROM hold")
            if held is not None:
                db.execute(
                    "INSERT INTO hold VALUES (1, ?, ?, ?, ?, ?)",
                    (held.began, held.until, held.monotonic, held.why, held.by),
                )
