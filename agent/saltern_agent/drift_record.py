"""The record of drift: a row for each deviation of a resource, in the journal's own file.

* A resource has at most one open row; closed ones are bounded by MAX_CLOSED, the oldest go. The
  newest MAX_DETAILED of those keep their diffs: the others are told in lines by `found`.
* What an open row says is written whole; the master is told again where what was found, why it is
  not set right or whether it is a fight is otherwise than before (`write` says so).
* `seen` is "event" or "look" and nothing else, `by` the doer where the kernel tells it. `since` is
  when the event came; of what no event told, when the look began that found it.
* A journal of a former form is taken over when it is opened, in one transaction: there `seen` also
  named the doer, and `outcome` also said why an open drift stays open.

Times are Unix seconds (UTC, float), given by the caller.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

import msgspec
from saltern_protocol.report import Nature

MAX_CLOSED: Final = 10_000
MAX_DETAILED: Final = 200

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS drift (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, kind TEXT NOT NULL,
    since REAL NOT NULL, recorded REAL NOT NULL, seen TEXT NOT NULL, found TEXT NOT NULL,
    healed REAL, outcome TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX IF NOT EXISTS one_open ON drift (resource) WHERE healed IS NULL;
"""
ADDED: Final = (
    ("doer", "TEXT NOT NULL DEFAULT ''"),
    ("detail", "TEXT NOT NULL DEFAULT ''"),
    ("nature", "TEXT NOT NULL DEFAULT 'external'"),
    ("hindrance", "TEXT NOT NULL DEFAULT ''"),
    ("attempts", "INTEGER NOT NULL DEFAULT 0"),
    ("incident", "INTEGER NOT NULL DEFAULT 0"),
)
"""Columns that the first form of the table had not."""
SPLIT: Final = (
    "UPDATE drift SET doer = substr(seen, 8), seen = 'event' WHERE seen LIKE 'event: %'",
    "UPDATE drift SET hindrance = outcome, outcome = '' WHERE healed IS NULL",
)
COLUMNS: Final = (
    "seq, resource, kind, since, recorded, seen, doer, found, detail, nature, hindrance,"
    " attempts, incident, healed, outcome"
)


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One deviation of one resource from the accepted body."""

    seq: int = 0  # 0: not written yet
    resource: str
    kind: str
    since: float  # when the event came, or the look began
    recorded: float  # when this was written; the commit that makes it durable follows at once
    seen: str  # event, look
    by: str = ""  # the doer, where the kernel tells it
    found: tuple[str, ...]  # what would set it right, a line each; of CORRECTIVE, what did
    detail: str = ""  # the same as unified diffs, where it is text that may be shown
    nature: Nature = Nature.EXTERNAL
    hindrance: str = ""  # why it is still open
    attempts: int = 0  # to set it right, of those that its policy counts
    incident: bool = False  # a fight
    healed: float | None = None
    outcome: str = ""  # how it ended


def take_over(db: sqlite3.Connection) -> None:
    """Make the table, or bring one of the former form to this one. sqlite3.Error."""
    db.executescript(SCHEMA)
    if not _lacking(db):
        return
    db.execute("BEGIN IMMEDIATE")  # the agent has its journal open more than once
    try:
        lacking = _lacking(db)
        for name, kind in lacking:
            db.execute(f"ALTER TABLE drift ADD COLUMN {name} {kind}")
        for split in SPLIT if lacking else ():
            db.execute(split)
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def write(db: sqlite3.Connection, drift: Drift) -> tuple[Drift, bool]:
    """Open a drift, or say anew what an open one is; its number and first times stay.

    Gives what stands now, and whether that is otherwise for whoever reads it.
    """
    before = read_open(db, drift.resource)
    if before is None:
        values = msgspec.structs.astuple(drift)[1:]
        marks = ", ".join("?" * len(values))
        into = COLUMNS.removeprefix("seq, ")
        seq = db.execute(f"INSERT INTO drift ({into}) VALUES ({marks})", _plain(values)).lastrowid
        return msgspec.structs.replace(drift, seq=int(seq or 0)), True
    now = msgspec.structs.replace(
        before,
        found=drift.found,
        detail=drift.detail,
        hindrance=drift.hindrance,
        attempts=drift.attempts,
        incident=drift.incident,
    )
    if now == before:
        return now, False
    db.execute(
        "UPDATE drift SET found = ?, detail = ?, hindrance = ?, attempts = ?, incident = ?"
        " WHERE seq = ?",
        _plain((now.found, now.detail, now.hindrance, now.attempts, now.incident, now.seq)),
    )
    return now, msgspec.structs.replace(now, attempts=before.attempts) != before


def heal(db: sqlite3.Connection, resource: str, outcome: str, now: float) -> int:
    """Close the open drift of a resource; gives its number, 0 where there is none."""
    row = db.execute(
        "SELECT seq FROM drift WHERE resource = ? AND healed IS NULL", (resource,)
    ).fetchone()
    if row is not None:
        db.execute("UPDATE drift SET healed = ?, outcome = ? WHERE seq = ?", (now, outcome, row[0]))
    (newest,) = db.execute("SELECT max(seq) FROM drift").fetchone()
    if newest is not None:
        old = newest - MAX_DETAILED
        gone = newest - MAX_CLOSED
        db.execute("DELETE FROM drift WHERE healed IS NOT NULL AND seq <= ?", (gone,))
        db.execute(
            "UPDATE drift SET detail = '' WHERE seq BETWEEN ? AND ?"
            " AND healed IS NOT NULL AND detail != ''",
            (old - MAX_DETAILED, old),
        )
    return int(row[0]) if row is not None else 0


def read_open(db: sqlite3.Connection, resource: str) -> Drift | None:
    """Give the open drift of a resource."""
    row = db.execute(
        f"SELECT {COLUMNS} FROM drift WHERE resource = ? AND healed IS NULL", (resource,)
    ).fetchone()
    return None if row is None else drift_of(row)


def drift_of(row: tuple[Any, ...]) -> Drift:
    """Read a row of COLUMNS. MsgspecError: it cannot be read."""
    names = Drift.__struct_fields__
    plain = dict(zip(names, row, strict=True))
    plain["found"] = msgspec.json.decode(plain["found"], type=tuple[str, ...])
    plain["incident"] = bool(plain["incident"])
    return msgspec.convert(plain, Drift)


def _lacking(db: sqlite3.Connection) -> tuple[tuple[str, str], ...]:
    there = {row[1] for row in db.execute("PRAGMA table_info(drift)")}
    return tuple((name, kind) for name, kind in ADDED if name not in there)


def _plain(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Give values as SQLite keeps them."""
    return tuple(
        msgspec.json.encode(one).decode()
        if isinstance(one, tuple)
        else one.value
        if isinstance(one, Nature)
        else one
        for one in values
    )
