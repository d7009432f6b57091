"""The journal: what this node accepted, owns and has seen; it survives any crash.

One SQLite file in WAL mode with synchronous=FULL: what a method returned from is on the disk
(NORMAL loses commits at a power cut: docs/adr/0005). Laws:

* A statement is accepted here, with its version, before anything of it is applied.
* `unfinished` is true from the acceptance until a converge ended: a start that finds it goes
  on with an apply, and does not call what is missing drift.
* A resource is owned from before it is made until it has been taken back.
* A resource has at most one open drift, and closed ones are bounded (drift_record.py).
* A file that cannot be read or written is told as JournalError, and what failed left no trace.
  Where an fsync failed nobody knows what it left: NotDurableError, which ends the agent.
* The log beside the file is taken into it every CHECKPOINT commits, here and not by SQLite, which
  would pass over an fsync that fails then.
* What a new document can be taken back to is kept by the transaction that accepts it (way_back.py).
* A hold is kept through a restart, and never for longer than it was given (hold_record.py).
* What the master is to be told is in the outbox by the transaction that it tells of (outbox.py).

Times are Unix seconds (UTC, float), given by the caller.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from saltern_protocol.errors import MalformedError
from saltern_protocol.report import Applied, Item
from saltern_protocol.wire import pack, unpack_plain
from saltern_states.body import Resource, read_resource

from saltern_agent import drift_record, hold_record, way_back
from saltern_agent import outbox as waiting
from saltern_agent.drift_record import COLUMNS, Drift
from saltern_agent.durable import NotDurableError
from saltern_agent.host.own import sync_names
from saltern_agent.items import drift_ended, drift_seen
from saltern_agent.outbox import Batch, NoOutbox, Outbox

MAX_SPEC_BYTES = 192 * 1024
CHECKPOINT = 50  # commits; each is a few pages of 4 KiB
MAX_LOG_BYTES = 4 << 20  # that the log keeps once it was taken in

SCHEMA = """
CREATE TABLE IF NOT EXISTS accepted (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    statement BLOB NOT NULL, unfinished INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS owned (
    id TEXT PRIMARY KEY, resource BLOB NOT NULL, place INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS attempts (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, at REAL NOT NULL);
"""


NO_OUTBOX = NoOutbox()
LOST = (sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC)


class JournalError(Exception):
    """The journal cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The statement that the node lives by."""

    statement: bytes
    unfinished: bool
    at: float
    turn: int = 0  # of the master's that it came with; 0: none


class Journal:
    """The node's memory on disk. One thread uses one Journal. Every method: JournalError."""

    def __init__(self, path: Path, outbox: Outbox = NO_OUTBOX) -> None:
        self._path = path
        self._outbox = outbox
        self._commits = 0  # since the log was taken in
        self._news = False  # in the transaction in hand: something that the master may ask for
        self.way_back = way_back.WaysBack(self._writing, self._rows)
        self.hold = hold_record.Holds(self._writing, self._rows)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _make_private(path)
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA busy_timeout=1000")
            self._db.execute("PRAGMA wal_autocheckpoint=0")
            self._db.execute(f"PRAGMA journal_size_limit={MAX_LOG_BYTES}")
            schema = SCHEMA + waiting.SCHEMA + way_back.SCHEMA + hold_record.SCHEMA
            self._db.executescript(schema)
            drift_record.take_over(self._db)
            outbox.begin(self._db)
            sync_names(path.parent)
        except (sqlite3.Error, OSError) as error:
            raise JournalError(
                f"cannot open the journal {path}: {error}; see that {path.parent} can be written "
                f"and has free space. Where the file itself is damaged: stop the agent, move "
                f"{path}* away, start it, and apply the node's newest document again"
            ) from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def forget_pages(self) -> None:
        """Give back the memory of what was read (SQLite keeps up to 2 MB of it otherwise)."""
        with suppress(sqlite3.Error):  # nobody goes without an answer for that
            self._db.execute("PRAGMA shrink_memory")

    def probe(self) -> None:
        """See whether the file could be written, at the price of its time of change.

        A filesystem that became read-only is told before something has to be remembered.
        """
        try:
            os.utime(self._path)
        except OSError as error:
            raise JournalError(
                f"cannot write the journal {self._path}: {error.strerror}; mount its disk "
                "read-write, or mend it"
            ) from error

    def accepted(self) -> Accepted | None:
        """Give what was accepted last."""
        rows = self._rows(
            "SELECT statement, unfinished, at, coalesce((SELECT turn FROM asked), 0) FROM accepted"
        )
        return Accepted(rows[0][0], bool(rows[0][1]), *rows[0][2:]) if rows else None

    def is_unfinished(self) -> bool:
        """Say whether what is held has yet to be gone through to its end."""
        return bool(self._rows("SELECT 1 FROM accepted WHERE unfinished = 1"))

    def accepted_at(self) -> float | None:
        """Give when a statement was accepted last: by it, whether there is a new one."""
        rows = self._rows("SELECT at FROM accepted")
        return float(rows[0][0]) if rows else None

    def accept(self, statement: bytes, now: float, turn: int = 0) -> None:
        """Remember a statement and whose turn it is, before anything of it is applied.

        JournalError also where too much waits for the master that may not be lost.
        """
        with self._writing() as db:
            if self._outbox.full(db):
                raise JournalError(
                    "cannot take a new document: too many results and drifts wait for the master "
                    "already, and none may be lost; see in `saltern-agent status` why it does not "
                    "take them"
                )
            self._news = True
            if not isinstance(self._outbox, NoOutbox):  # else nobody could confirm what comes
                way_back.keep(db)
            db.execute("INSERT OR REPLACE INTO asked VALUES (1, ?)", (turn,))
            db.execute(
                "INSERT INTO accepted VALUES (1, ?, 1, ?) ON CONFLICT (one) DO UPDATE"
                " SET statement = excluded.statement, unfinished = 1, at = excluded.at",
                (statement, now),
            )

    def finish(self, applied: Applied) -> None:
        """Say that the accepted statement has been gone through to its end, and how."""
        with self._writing() as db:
            db.execute("UPDATE accepted SET unfinished = 0 WHERE unfinished = 1")
            way_back.drop(db)
            self._put(db, applied)

    def tell(self, applied: Applied) -> None:
        """Have the master told of a document that was not gone through."""
        with self._writing() as db:
            self._put(db, applied)

    def untold(self) -> Batch:
        """Give the oldest of what the master has yet to be told."""
        try:
            return waiting.oldest(self._db)
        except (sqlite3.Error, MalformedError) as error:
            raise JournalError(f"cannot read the outbox in {self._path}: {error}") from error

    def told(self, seq: int) -> None:
        """The master has everything up to a number."""
        with self._writing() as db:
            waiting.forget(db, seq)

    def owned(self) -> dict[str, Resource]:
        """Give what is ours on this node, by id, in the order in which it came."""
        found: dict[str, Resource] = {}
        for name, data in self._rows("SELECT id, resource FROM owned ORDER BY place"):
            try:
                resource = read_resource(unpack_plain(data, MAX_SPEC_BYTES), "$")
            except MalformedError as error:
                raise JournalError(f"cannot read {name} in the journal: {error}") from error
            if not isinstance(resource, Resource):
                raise JournalError(f"cannot read {name} in the journal: {'; '.join(resource)}")
            found[name] = resource
        return found

    def own(self, resource: Resource) -> None:
        """Remember that a resource is ours; nothing is written where that is known."""
        data = pack(msgspec.to_builtins(resource, builtin_types=(bytes,)))
        rows = self._rows("SELECT resource FROM owned WHERE id = ?", (resource.id,))
        if rows and rows[0][0] == data:
            return
        with self._writing() as db:
            db.execute(
                "INSERT INTO owned SELECT ?, ?, coalesce(max(place), 0) + 1 FROM owned WHERE true"
                " ON CONFLICT (id) DO UPDATE SET resource = excluded.resource",
                (resource.id, data),
            )

    def disown(self, resource_id: str) -> None:
        """Forget a resource that has been taken back."""
        with self._writing() as db:
            db.execute("DELETE FROM owned WHERE id = ?", (resource_id,))
            db.execute("DELETE FROM attempts WHERE resource = ?", (resource_id,))

    def open_drift(self) -> dict[str, Drift]:
        """Give the open drift of each resource."""
        rows = self._rows(f"SELECT {COLUMNS} FROM drift WHERE healed IS NULL ORDER BY seq")
        return {drift.resource: drift for drift in map(_drift, rows)}

    def drift(self, most: int = 100) -> tuple[Drift, ...]:
        """Give the newest drift, newest first."""
        query = f"SELECT {COLUMNS} FROM drift ORDER BY seq DESC LIMIT ?"
        return tuple(map(_drift, self._rows(query, (most,))))

    def record(self, drift: Drift) -> int:
        """Open a drift, or say anew what an open one is. Gives its number."""
        with self._writing() as db:
            now, news = drift_record.write(db, drift)
            if news:
                self._put(db, drift_seen(now))
        return now.seq

    def heal(self, resource: str, outcome: str, now: float) -> None:
        """Close the open drift of a resource."""
        with self._writing() as db:
            number = drift_record.heal(db, resource, outcome, now)
            if number:
                self._put(db, drift_ended(number, resource, now, outcome))

    def attempt(self, resource: str, at: float, most: int) -> None:
        """Remember that a repair was begun; of one resource the newest `most` are kept."""
        with self._writing() as db:
            db.execute("INSERT INTO attempts (resource, at) VALUES (?, ?)", (resource, at))
            db.execute(
                "DELETE FROM attempts WHERE resource = ? AND seq NOT IN (SELECT seq FROM attempts"
                " WHERE resource = ? ORDER BY seq DESC LIMIT ?)",
                (resource, resource, most),
            )

    def attempts(self) -> dict[str, tuple[float, ...]]:
        """Give when repairs of each resource were begun, in the order in which they were."""
        found: dict[str, tuple[float, ...]] = {}
        for resource, at in self._rows("SELECT resource, at FROM attempts ORDER BY seq"):
            found[resource] = (*found.get(resource, ()), at)
        return found

    def _rows(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._db.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise JournalError(f"cannot read the journal {self._path}: {error}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """All or nothing of what is written within."""
        try:
            self._news = False
            self._db.execute("BEGIN IMMEDIATE")
            yield self._db
            self._db.execute("COMMIT")
            self._commits += 1
            if self._commits >= CHECKPOINT:
                self._take_in_log("PASSIVE")
        except sqlite3.Error as error:
            self._roll_back()
            refuse_lost(error, self._path)
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
                self._take_in_log("TRUNCATE")  # may make the room that the next attempt needs
            raise JournalError(
                f"cannot write the journal {self._path}: {error}; "
                f"{_free(self._path.parent)}; free space in it, or mend its disk"
            ) from error
        except msgspec.MsgspecError as error:
            self._roll_back()
            raise JournalError(f"cannot read the journal {self._path}: {error}") from error
        except BaseException:
            self._roll_back()
            raise
        if self._news:
            self._outbox.written()

    def _take_in_log(self, how: str) -> None:
        """Take the log into the file. What was committed is durable already."""
        self._commits = 0
        try:
            self._db.execute(f"PRAGMA wal_checkpoint({how})").fetchall()
        except sqlite3.Error as error:  # a full disk, or a reader: another time
            refuse_lost(error, self._path)

    def _put(self, db: sqlite3.Connection, item: Item) -> None:
        self._outbox.put(db, item)
        self._news = True

    def _roll_back(self) -> None:
        with suppress(sqlite3.Error):  # SQLite may have rolled back itself, or not answer at all
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")


def refuse_lost(error: sqlite3.Error, path: Path) -> None:
    """Raise NotDurableError where an fsync of SQLite's failed."""
    if getattr(error, "sqlite_errorcode", 0) in LOST:
        raise NotDurableError(
            f"cannot have the journal {path} on its disk: {error}; see in the kernel's log (dmesg) "
            "what is wrong with that disk"
        ) from error


def _free(directory: Path) -> str:
    try:
        free = shutil.disk_usage(directory).free
    except OSError as error:
        return f"{directory} cannot be looked at ({error.strerror})"
    return f"{directory} has {free} bytes free"


def _drift(row: tuple[Any, ...]) -> Drift:
    try:
        return drift_record.drift_of(row)
    except msgspec.MsgspecError as error:
        raise JournalError(f"cannot read drift {row[0]} in the journal: {error}") from error


def _make_private(path: Path) -> None:
    """Have the file there, for root alone: SQLite makes -wal and -shm with the mode that it has.

    Never opened here where it is there: whoever closes a file drops all locks that its process has
    on it, also those of SQLite's other connections. Another process would take itself for the last
    one then, and delete the log under a running agent (https://sqlite.org/howtocorrupt.html, 2.2).
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    path.chmod(0o600)  # an older agent's
