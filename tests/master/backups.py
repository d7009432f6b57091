"""Backups as tests make, bring back and compare them."""

from __future__ import annotations

from pathlib import Path

from saltern_master.backup.manifest import Manifest
from saltern_master.backup.restore import restore
from saltern_master.backup.take import take
from saltern_master.signing.home import Home
from saltern_master.store import SqliteStore

from tests.master.homes import NOW

NEVER = {"run", "out"}


def backup(home: Home, file: Path, *without: str) -> Manifest:
    return take(home, file, without, NOW, lambda *_: None)  # type: ignore[arg-type]


def back(file: Path, place: Path) -> Manifest:
    return restore(place, file, NOW + 60, lambda *_: None)


def tree(path: Path) -> dict[str, tuple[int, bytes]]:
    """Give all that a backup has to bring back, but the store: modes and contents."""
    return {
        str(one.relative_to(path)): (
            one.stat().st_mode & 0o777,
            one.read_bytes() if one.is_file() else b"",
        )
        for one in path.rglob("*")
        if one.relative_to(path).parts[0] not in NEVER
        and not one.name.startswith((".", "store.db"))
    }


def entries(path: Path) -> dict[str, bytes]:
    store = SqliteStore(path / "store.db")
    try:
        return {one.key: one.value for one in store.list("") if not one.key.startswith("nodes/")}
    finally:
        store.close()
