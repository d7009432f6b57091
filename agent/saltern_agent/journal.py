"""The journal: what this node accepted, owns and has seen; it survives any crash.

One SQLite file in WAL mode with synchronous=FULL: what a method returned from is on the disk
(NORMAL loses commits at a power cut: docs/adr/0005). Laws:

* A statement is accepted here, with its version, before anything of it is applied.
* `unfinished` is true from the acceptance until a converge ended: a start that finds it goes
  on with an apply, and does not call what is missing drift.
* A resource is owned from before it is made until it has been taken back.
* A resource has at most one open drift; closed ones are bounded by MAX_CLOSED, the oldest go.

Times are Unix seconds (UTC, float), given by the caller.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import msgspec
from saltern_protocol.wire import pack, unpack_plain
from saltern_states.body import Resource, read_resource

MAX_CLOSED = 10_000
MAX_SPEC_BYTES = 192 * 1024

SCHEMA = """
CREATE TABLE IF NOT EXISTS accepted (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    statement BLOB NOT NULL, unfinished INTEGER NOT NULL, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS owned (
    id TEXT PRIMARY KEY, resource BLOB NOT NULL, place INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS drift (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, kind TEXT NOT NULL,
    since REAL NOT NULL, recorded REAL NOT NULL, seen TEXT NOT NULL, found TEXT NOT NULL,
    healed REAL, outcome TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX IF NOT EXISTS one_open ON drift (resource) WHERE healed IS NULL;
"""


class JournalError(Exception):
    """The journal cannot be read or written."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The statement that the node lives by."""

    statement: bytes
    unfinished: bool
    at: float


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One deviation of one resource from the accepted body."""

    seq: int
    resource: str
    kind: str
    since: float  # when the event came, or the look began
    recorded: float  # when this was written; the commit that makes it durable follows at once
    seen: str  # "event" or "look", and the cause where the kernel tells it
    found: tuple[str, ...]  # what would set it right, a line each
    healed: float | None = None
    outcome: str = ""  # how it ended, or why it is still open


class Journal:
    """The node's memory on disk. One thread uses one Journal."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._db = sqlite3.connect(path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("PRAGMA busy_timeout=5000")
            self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise JournalError(f"cannot open the journal {path}: {error}") from error
        path.chmod(0o600)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def accepted(self) -> Accepted | None:
        """Give what was accepted last."""
        row = self._db.execute("SELECT statement, unfinished, at FROM accepted").fetchone()
        return Accepted(row[0], bool(row[1]), row[2]) if row else None

    def accept(self, statement: bytes, now: float) -> None:
        """Remember a statement, before anything of it is applied."""
        self._db.execute(
            "INSERT INTO accepted VALUES (1, ?, 1, ?) ON CONFLICT (one) DO UPDATE"
            " SET statement = excluded.statement, unfinished = 1, at = excluded.at",
            (statement, now),
        )

    def finish(self) -> None:
        """Say that the accepted statement has been gone through to its end."""
        self._db.execute("UPDATE accepted SET unfinished = 0 WHERE unfinished = 1")

    def owned(self) -> dict[str, Resource]:
        """Give what is ours on this node, by id, in the order in which it came."""
        found: dict[str, Resource] = {}
        for name, data in self._db.execute("SELECT id, resource FROM owned ORDER BY place"):
            resource = read_resource(unpack_plain(data, MAX_SPEC_BYTES), "$")
            if not isinstance(resource, Resource):
                raise JournalError(f"cannot read {name} in the journal: {'; '.join(resource)}")
            found[name] = resource
        return found

    def own(self, resource: Resource) -> None:
        """Remember that a resource is ours; nothing is written where that is known."""
        data = pack(msgspec.to_builtins(resource, builtin_types=(bytes,)))
        row = self._db.execute("SELECT resource FROM owned WHERE id = ?", (resource.id,)).fetchone()
        if row and row[0] == data:
            return
        self._db.execute(
            "INSERT INTO owned SELECT ?, ?, coalesce(max(place), 0) + 1 FROM owned WHERE true"
            " ON CONFLICT (id) DO UPDATE SET resource = excluded.resource",
            (resource.id, data),
        )

    def disown(self, resource_id: str) -> None:
        """Forget a resource that has been taken back."""
        self._db.execute("DELETE FROM owned WHERE id = ?", (resource_id,))

    def open_drift(self) -> dict[str, Drift]:
        """Give the open drift of each resource."""
        rows = self._db.execute("SELECT * FROM drift WHERE healed IS NULL ORDER BY seq")
        return {drift.resource: drift for drift in map(_drift, rows)}

    def drift(self, most: int = 100) -> tuple[Drift, ...]:
        """Give the newest drift, newest first."""
        rows = self._db.execute("SELECT * FROM drift ORDER BY seq DESC LIMIT ?", (most,))
        return tuple(map(_drift, rows))

    def record(
        self, resource: str, kind: str, since: float, seen: str, found: tuple[str, ...], now: float
    ) -> None:
        """Open a drift, or say anew what an open one found."""
        text = msgspec.json.encode(found).decode()
        self._db.execute(
            "INSERT INTO drift (resource, kind, since, recorded, seen, found)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (resource) WHERE healed IS NULL"
            " DO UPDATE SET found = excluded.found WHERE found != excluded.found",
            (resource, kind, since, now, seen, text),
        )

    def hinder(self, resource: str, why: str) -> None:
        """Say why an open drift stays open."""
        self._db.execute(
            "UPDATE drift SET outcome = ? WHERE resource = ? AND healed IS NULL AND outcome != ?",
            (why, resource, why),
        )

    def heal(self, resource: str, outcome: str, now: float) -> None:
        """Close the open drift of a resource."""
        self._db.execute("BEGIN IMMEDIATE")
        self._db.execute(
            "UPDATE drift SET healed = ?, outcome = ? WHERE resource = ? AND healed IS NULL",
            (now, outcome, resource),
        )
        self._db.execute(
            "DELETE FROM drift WHERE healed IS NOT NULL AND seq <="
            " (SELECT max(seq) FROM drift) - ?",
            (MAX_CLOSED,),
        )
        self._db.execute("COMMIT")

    def repairs_since(self, resource: str, since: float) -> int:
        """Count how often a resource was set right since a time."""
        row = self._db.execute(
            "SELECT count(*) FROM drift WHERE resource = ? AND healed >= ? AND outcome = 'healed'",
            (resource, since),
        ).fetchone()
        return int(row[0])


def _drift(row: tuple[int, str, str, float, float, str, str, float | None, str]) -> Drift:
    seq, resource, kind, since, recorded, seen, found, healed, outcome = row
    return Drift(
        seq=seq,
        resource=resource,
        kind=kind,
        since=since,
        recorded=recorded,
        seen=seen,
        found=msgspec.json.decode(found, type=tuple[str, ...]),
        healed=healed,
        outcome=outcome,
    )
