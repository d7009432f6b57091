"""The store's file: kills, old and newer forms, damage, a full disk, who may read it."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from saltern_master.store import Expect, Put, SqliteStore, StoreError
from saltern_master.store.migrate import Migration, known_migrations
from saltern_master.store.sqlite import CHECKPOINT_BYTES

GOLDEN = Path(__file__).parents[1] / "golden/store"
ROUNDS = 12

WRITER = """
import sys
from pathlib import Path
from saltern_master.store import Put, SqliteStore
store = SqliteStore(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    number += 1
    value = str(number).encode() * 400
    store.commit(Put("one", value), Put("other", value), Put(f"log/{number:020}", b""))
    print(number, flush=True)
"""


def killed_writer(path: Path, begin: int, lines: int) -> int:
    """Let a process commit, kill it in the middle of it; give the last number that it told."""
    argv = [sys.executable, "-c", WRITER, str(path), str(begin)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for _ in range(lines):
            assert writer.stdout.readline()
        writer.send_signal(signal.SIGKILL)
        told = [
            int(line) for line in writer.stdout.read().splitlines(keepends=True) if "\n" in line
        ]
    return told[-1] if told else begin + lines


def test_a_killed_writer_loses_nothing_that_it_told_and_leaves_nothing_half(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    last = 0
    for turn in range(ROUNDS):
        told = killed_writer(path, last, 1 + turn * 7)
        store = SqliteStore(path)
        one, other, logged = store.get("one"), store.get("other"), store.list("log/", newest=True)
        store.close()

        assert one is not None
        assert other is not None
        assert one.value == other.value
        last = int(logged[0].key.removeprefix("log/"))
        assert one.value == str(last).encode() * 400
        assert told <= last <= told + 1
        assert one.revision == last


def test_a_file_of_the_first_form_is_read(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = sqlite3.connect(path)
    db.executescript((GOLDEN / "0001.sql").read_text())
    db.close()

    store = SqliteStore(path)

    assert [(one.key, one.value, one.revision) for one in store.list("")] == [
        ("a", b"\x00\xff", 3),
        ("nodes/w1", b"{}", 1),
        ("ä", b"", 1),
    ]
    assert store.commit(Put("new", b""), Expect("a", 3)) == 4
    store.close()


STEPS = known_migrations()
NEXT = Migration(len(STEPS) + 1, "next.sql", "CREATE TABLE more (x);\nINSERT INTO more VALUES (1);")


def tables(path: Path) -> tuple[int, list[str]]:
    db = sqlite3.connect(path)
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return version, sorted(names)


def test_an_old_file_takes_the_steps_that_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    old = SqliteStore(path, STEPS)
    old.commit(Put("a", b"1"))
    old.close()

    store = SqliteStore(path, (*STEPS, NEXT))

    assert [one.key for one in store.list("")] == ["a"]
    assert store.commit(Put("b", b"")) == 2
    store.close()
    assert tables(path) == (NEXT.number, ["entries", "last", "more"])


@pytest.mark.parametrize(
    "broken", ["CREATE TABLE more (x);\nNONSENSE;", "CREATE TABLE more (x)\n("]
)
def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path, STEPS).close()
    before = tables(path)

    with pytest.raises(StoreError, match=r"cannot bring .* it is as it was"):
        SqliteStore(path, (*STEPS, Migration(NEXT.number, "broken.sql", broken)))

    assert tables(path) == before
    SqliteStore(path, STEPS).close()


def test_a_file_that_is_newer_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    SqliteStore(path, (*STEPS, NEXT)).close()
    before = tables(path)

    with pytest.raises(StoreError, match=r"a newer Saltern wrote it .* run that release again"):
        SqliteStore(path)

    assert tables(path) == before


def test_what_is_no_store_is_told_and_not_written(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"something else\n" * 500)

    with pytest.raises(StoreError, match=r"it is damaged .*bring back the newest backup"):
        SqliteStore(path)

    assert path.read_bytes() == b"something else\n" * 500


def test_damage_inside_is_told_when_it_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    store.commit(*(Put(f"key/{n}", b"v" * 500) for n in range(200)))
    store.close()
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xaa" * 8192 + whole[16384:])

    with pytest.raises(StoreError, match="it is damaged"):
        SqliteStore(path)


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk's: the kernel refuses the write alike."""
    store = SqliteStore(tmp_path / "store.db")
    store.commit(Put("a", b"1"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    try:
        with pytest.raises(StoreError, match=r"cannot write .* bytes free; free space in it"):
            store.commit(*(Put(f"much/{n}", os.urandom(90_000)) for n in range(10)))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert [one.key for one in store.list("")] == ["a"]
    assert store.commit(Put("b", b"2"), Expect("a", 1)) == 2
    store.close()


def test_nobody_else_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    mask = os.umask(0)
    try:
        store = SqliteStore(path)
        store.commit(Put("a", b"1"))
    finally:
        os.umask(mask)

    assert {one.name: oct(one.stat().st_mode & 0o777) for one in tmp_path.iterdir()} == {
        "store.db": "0o600",
        "store.db-wal": "0o600",
        "store.db-shm": "0o600",
    }
    store.close()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"cannot open .*No such file or directory"):
        SqliteStore(tmp_path / "none" / "store.db")


def test_the_wal_is_brought_into_the_file_before_it_is_long(tmp_path: Path) -> None:
    """SQLite does not do it here: it would keep a failed fsync to itself."""
    store = SqliteStore(tmp_path / "store.db")
    for number in range(200):
        store.commit(Put(f"k{number % 5}", number.to_bytes(2, "big") * 50_000))

    assert (tmp_path / "store.db-wal").stat().st_size < 2 * CHECKPOINT_BYTES
    store.close()
