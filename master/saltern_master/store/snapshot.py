"""A copy of the store as it is at one moment, while others go on writing to it.

SQLite's online backup copies all pages in one read transaction: writers are not held up in WAL
mode, and the copy is what one commit left (https://sqlite.org/backup.html). The copy is looked
through whole: what is damaged is told, and is no copy.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from saltern_master.store.contract import StoreError


def snapshot(path: Path, target: Path) -> int:
    """Copy the store at `path` to a new file, 0600; give the number of its form. StoreError."""
    try:
        os.close(os.open(target, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with (
            closing(sqlite3.connect(f"file:{_quoted(path)}?mode=rw", uri=True)) as live,
            closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, without -wal beside it
            found = copy.execute("PRAGMA integrity_check(1)").fetchone()[0]
            form = int(copy.execute("PRAGMA user_version").fetchone()[0])
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"cannot copy {path}: {error}") from error
    if found != "ok":
        raise StoreError(
            f"cannot copy {path}: it is damaged ({found}); bring back the newest backup, and keep "
            f"a copy of {path.name}* for who may mend it"
        )
    return form


def _quoted(path: Path) -> str:
    """Give a path as SQLite's file: names have it."""
    text = str(path.absolute())
    for letter, code in (("%", "%25"), ("?", "%3f"), ("#", "%23")):
        text = text.replace(letter, code)
    return text
