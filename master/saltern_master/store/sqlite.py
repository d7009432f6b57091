"""The store in one SQLite file: HOME/store.db, beside it -wal and -shm.

* WAL with synchronous=FULL: what commit() returned from is on the disk (NORMAL loses commits at
  a power cut: docs/adr/0005). Several processes use one file at once; a writer waits up to
  BUSY_SECONDS for another.
* The file is 0600 from its first moment on; -wal and -shm get the same mode from SQLite.
* The file is looked through when it is opened: one that is damaged is told, not worked with.
* A full disk is told, with what is free; the file is then as it was before the commit.
* What -wal holds is brought into the file here and not by SQLite itself, which would keep to
  itself that the disk failed it (sqlite3WalDefaultHook of its wal.c gives SQLITE_OK whatever came).
* The names of file and -wal are on the disk before a commit is: SQLite syncs their directory too,
  and does not look at what came of it (unixSync of its os_unix.c).
* An fsync that failed ends the use of this store: see LostError.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from saltern_master.store.contract import (
    ConflictError,
    Entry,
    Expect,
    LostError,
    Put,
    StoreError,
    Write,
    check_writes,
    key_bytes,
)
from saltern_master.store.migrate import Migration, known_migrations, migrate

BUSY_SECONDS = 10
CHECKPOINT_BYTES = 4 * 1024 * 1024
"""Written by this store between two times that -wal is brought into the file; as SQLite's own."""
ENTRY_BYTES = 8 * 1024  # of -wal for each key that is written, at the most, beside its value
UNSYNCED = frozenset({sqlite3.SQLITE_IOERR_FSYNC, sqlite3.SQLITE_IOERR_DIR_FSYNC})
ABOVE = b"\xff"  # no UTF-8 has this byte, so prefix + ABOVE is above all that begin with prefix

FORWARD = """SELECT key, value, revision FROM entries
    WHERE key >= ? AND key < ? AND key > ? ORDER BY key LIMIT ?"""
BACKWARD = """SELECT key, value, revision FROM entries
    WHERE key >= ? AND key < ? AND key < ? ORDER BY key DESC LIMIT ?"""


class SqliteStore:
    """A Store in a file, which is made where there is none.

    A file of SQLite's is opened by SQLite alone: closing it otherwise drops the locks of the whole
    process (https://sqlite.org/howtocorrupt.html, 2.2).
    """

    def __init__(self, path: Path, migrations: Sequence[Migration] | None = None) -> None:
        self._path = path
        self._lost = ""  # why nothing may be promised any more
        self._in_wal = 0  # bytes, about
        with self._told("open"):
            with suppress(FileExistsError):  # never opened where it is there: see above
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
            self._db = sqlite3.connect(path, isolation_level=None, timeout=BUSY_SECONDS)
        try:
            with self._told("open"):
                self._prepare(known_migrations() if migrations is None else migrations)
        except BaseException:
            self._db.close()
            raise

    def get(self, key: str) -> Entry | None:
        """Give what stands under a key."""
        with self._told("read"):
            row = self._db.execute(
                "SELECT key, value, revision FROM entries WHERE key = ?", (key_bytes(key),)
            ).fetchone()
        return _entry(row) if row is not None else None

    def list(
        self, prefix: str, *, after: str = "", most: int = 1000, newest: bool = False
    ) -> tuple[Entry, ...]:
        """Give entries in order of keys."""
        low = prefix.encode()
        behind = after.encode() or (ABOVE if newest else b"")
        with self._told("read"):
            rows = self._db.execute(
                BACKWARD if newest else FORWARD, (low, low + ABOVE, behind, most)
            ).fetchall()
        return tuple(map(_entry, rows))

    def commit(self, *writes: Write) -> int:
        """Do all of it in one transaction."""
        check_writes(writes)
        with self._told("write"), self._transaction():
            for one in writes:
                if isinstance(one, Expect):
                    self._compare(one)
            revision = self._revision()
            changes = [one for one in writes if not isinstance(one, Expect)]
            if changes:
                revision += 1
                self._db.execute("UPDATE last SET revision = ?", (revision,))
            for change in changes:
                key = key_bytes(change.key)
                if isinstance(change, Put):
                    self._db.execute(
                        "INSERT INTO entries VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE"
                        " SET value = excluded.value, revision = excluded.revision",
                        (key, change.value, revision),
                    )
                else:
                    self._db.execute("DELETE FROM entries WHERE key = ?", (key,))
        self._count(changes)
        return revision

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _count(self, changes: Sequence[Write]) -> None:
        """Bring -wal into the file when it is long. The commit before it is durable already."""
        sizes = (len(one.value) if isinstance(one, Put) else 0 for one in changes)
        self._in_wal += sum(sizes) + ENTRY_BYTES * len(changes)
        if self._in_wal < CHECKPOINT_BYTES:
            return
        self._in_wal = 0
        try:
            with self._told("write"):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except LostError:
            raise
        except StoreError:  # a full disk: -wal has it, and it is tried again
            return

    def _prepare(self, migrations: Sequence[Migration]) -> None:
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA wal_autocheckpoint=0")
        found = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if found != "ok":
            raise sqlite3.DatabaseError(f"database disk image is malformed ({found})")
        migrate(self._db, str(self._path), migrations)
        directory = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def _compare(self, expected: Expect) -> None:
        row = self._db.execute(
            "SELECT revision FROM entries WHERE key = ?", (key_bytes(expected.key),)
        ).fetchone()
        found = int(row[0]) if row is not None else 0
        if found != expected.revision:
            raise ConflictError(expected.key, expected.revision, found)

    def _revision(self) -> int:
        return int(self._db.execute("SELECT revision FROM last").fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # SQLite may have rolled back itself, or not answer
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _told(self, deed: str) -> Iterator[None]:
        """Tell SQLite's and the system's errors with what to do."""
        if self._lost:
            raise LostError(self._lost)
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            if getattr(error, "sqlite_errorcode", 0) in UNSYNCED:
                self._lost = (
                    f"cannot {deed} {self._path}: its disk does not say that it has what was "
                    f"written ({error}), so nothing more is promised; mend the disk (dmesg tells "
                    "of it), then start again: what was acknowledged before is there"
                )
                raise LostError(self._lost) from error
            raise StoreError(f"cannot {deed} {self._path}: {self._remedy(error)}") from error

    def _remedy(self, error: sqlite3.Error | OSError) -> str:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        said = error.strerror if isinstance(error, OSError) else str(error)
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB} or "malformed" in str(said):
            return (
                f"it is damaged ({said}); stop the master, keep a copy of {self._path.name}* for "
                "who may mend it, and bring back the newest backup"
            )
        if code == sqlite3.SQLITE_BUSY:
            return f"another process held it for more than {BUSY_SECONDS} s; see who, and try again"
        return f"{said}; {_free(self._path.parent)}; free space in it, or mend its disk or its mode"


def _entry(row: tuple[bytes, bytes, int]) -> Entry:
    return Entry(row[0].decode(), row[1], row[2])


def _free(directory: Path) -> str:
    try:
        return f"{directory} has {shutil.disk_usage(directory).free} bytes free"
    except OSError as error:
        return f"{directory} cannot be looked at ({error.strerror})"
