"""Steps from one form of the file to the next: store/migrations/NNNN_NAME.sql.

* They are numbered 1, 2 … without a gap; the file's `user_version` says which was the last.
* Each is applied in one transaction together with its number: after a crash it happened, or not.
* A released one never changes: what has to change is a new one.
* A file that knows a step that we do not know is refused, and left as it is.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib.resources import files

import msgspec

from saltern_master.store.contract import StoreError

NAME = re.compile(r"([0-9]{4})_[a-z0-9_]+\.sql\Z")


class Migration(msgspec.Struct, frozen=True, order=True):
    """One step: its number, its file's name, its SQL."""

    number: int
    name: str
    sql: str


def known_migrations() -> tuple[Migration, ...]:
    """Read those that belong to this release, in order."""
    found = sorted(
        Migration(int(match[1]), one.name, one.read_text())
        for one in files("saltern_master.store").joinpath("migrations").iterdir()
        if (match := NAME.match(one.name))
    )
    if [one.number for one in found] != list(range(1, len(found) + 1)):
        raise StoreError(f"cannot use the migrations {[one.name for one in found]}: numbers lack")
    return tuple(found)


def migrate(db: sqlite3.Connection, path: str, known: Sequence[Migration]) -> None:
    """Bring an open file (in autocommit mode) to the newest form; StoreError, sqlite3.Error."""
    while (version := _version(db)) != len(known):
        if version > len(known):
            raise StoreError(
                f"cannot use {path}: a newer Saltern wrote it (form {version}, this one knows "
                f"{len(known)}); run that release again, or bring back the copy of the file that "
                "was made before the upgrade"
            )
        _apply(db, path, known[version])


def _apply(db: sqlite3.Connection, path: str, step: Migration) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        if _version(db) == step.number - 1:  # else another process was faster
            for statement in _statements(step.sql):
                db.execute(statement)
            db.execute(f"PRAGMA user_version = {step.number:d}")
        db.execute("COMMIT")
    except sqlite3.Error as error:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise StoreError(
            f"cannot bring {path} to form {step.number} ({step.name}): {error}; it is as it was; "
            "run the earlier release, or see that its disk has free space and try again"
        ) from error


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _statements(sql: str) -> Iterator[str]:
    """Cut a script into statements: executescript() would commit our transaction."""
    held = ""
    for piece in sql.splitlines(keepends=True):
        held += piece
        if sqlite3.complete_statement(held):
            yield held
            held = ""
    if held.strip():
        yield held  # a statement without its end: SQLite tells what is wrong
