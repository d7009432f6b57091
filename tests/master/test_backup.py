"""Backups: what is in one, what is refused, that it is whole or not at all, and the way back."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.backup.archive import Writer, read_manifest
from saltern_master.backup.manifest import BackupError
from saltern_master.backup.take import take
from saltern_master.cli import app
from saltern_master.library import Library
from saltern_master.records.nodes import every_node
from saltern_master.records.restored import AHEAD, hold_restored
from saltern_master.records.turns import newest_turn
from saltern_master.signing.home import Home
from saltern_master.signing.recorded import open_store
from saltern_master.store import Put, SqliteStore, StoreError
from typer.testing import CliRunner

from tests.master.backups import back, backup, entries, tree
from tests.master.clusters import SMALL
from tests.master.core_laws import taken
from tests.master.core_stand import core_stand
from tests.master.homes import NOW, made_home, signed


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = made_home(tmp_path)
    signed(made)
    return made


def test_what_was_backed_up_comes_back(home: Home, tmp_path: Path) -> None:
    (home.path / "facts" / "w1.json").write_text("{}")
    (home.path / "of-a-later-release").mkdir(mode=0o750)
    (home.path / "of-a-later-release" / "thing").write_bytes(b"\x00")
    made = backup(home, tmp_path / "file")
    again = tmp_path / "again"
    assert back(tmp_path / "file", again) == made == read_manifest(tmp_path / "file")

    assert tree(again) == tree(home.path)
    assert again.stat().st_mode == home.path.stat().st_mode
    found = entries(again)
    del found["restored"]
    assert found == entries(home.path)
    assert [one for one in again.rglob("*") if one.name.startswith(".")] == []
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600
    assert {one.name for one in tmp_path.iterdir()} == {"home", "again", "file", "kubelet"}


def test_a_restored_store_gives_no_number_twice(home: Home, tmp_path: Path) -> None:
    backup(home, tmp_path / "file")
    back(tmp_path / "file", tmp_path / "again")
    with open_store(home) as before, open_store(Home(tmp_path / "again")) as after:
        old, new = every_node(before), every_node(after)
        mark = hold_restored(after).value

        assert [one.version for one in new] == [one.version + AHEAD for one in old] != []
        assert mark is not None
        assert (mark.taken, mark.at, mark.turn) == (NOW, NOW + 60, newest_turn(before) + AHEAD)


def test_what_can_be_made_again_and_what_belongs_elsewhere_can_be_left_out(
    home: Home, tmp_path: Path
) -> None:
    everything = backup(home, tmp_path / "all")
    little = backup(home, tmp_path / "little", "blobs", "offline-keys")
    names = {one.name for one in everything.parts} - {one.name for one in little.parts}
    program = Library(home.path).list().binaries[0].sha256

    assert {"keys/root.key", "keys/policy.key", f"blobs/{program}"} <= names
    assert all(name.startswith(("blobs/", "keys/root", "keys/policy")) for name in names)
    assert program in little.missing
    back(tmp_path / "little", tmp_path / "again")
    with open_store(Home(tmp_path / "again")):
        assert not (tmp_path / "again/keys/root.key").exists()


def test_bodies_of_documents_are_never_left_out(tmp_path: Path) -> None:
    home = made_home(tmp_path)

    async def applied() -> str:
        store = SqliteStore(home.store_file)
        async with core_stand(home, opened=lambda: store) as stand:
            (w1,) = await stand.joined("w1")
            await taken(await stand.service.apply(SMALL.encode()), w1)
            peer = stand.office.known.peers["w1"]
            assert peer.document is not None
            return peer.document.body

    body = asyncio.run(applied())
    made = backup(home, tmp_path / "little", "blobs")

    assert [one.sha256 for one in made.parts if one.name.startswith("blobs/")] == [body]
    assert [(one.name, one.state, one.version) for one in made.nodes] == [("w1", "joined", 1)]


def test_a_store_that_is_written_to_is_copied_as_one_commit_left_it(
    home: Home, tmp_path: Path
) -> None:
    """Each commit writes one number under two keys: a copy that mixes two would have two."""
    ending = threading.Event()

    def write() -> None:
        store = SqliteStore(home.store_file)
        number = 0
        while not ending.is_set():
            number += 1
            value = str(number).encode() * 3000
            store.commit(Put("a", value), Put("z", value))
        store.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(8):
            backup(home, tmp_path / str(number))
    finally:
        ending.set()
        writer.join()
    for number in range(8):
        back(tmp_path / str(number), tmp_path / f"again-{number}")
        found = entries(tmp_path / f"again-{number}")
        assert found.get("a") == found.get("z")


def test_a_backup_is_refused_with_every_reason(home: Home, tmp_path: Path) -> None:
    file = home.path / "file"
    file.touch()
    with pytest.raises(BackupError) as told:
        backup(home, file)
    assert [text.partition(" ")[2][:12] for text in told.value.reasons] == [
        "is there alr",
        "lies in HOME",
    ]
    with pytest.raises(BackupError, match="has no keys") as told:
        take(Home(tmp_path / "none"), tmp_path / "no/file", (), NOW, lambda *_: None)
    assert "is no directory" in str(told.value)


def test_what_is_no_file_is_named_and_nothing_is_left(home: Home, tmp_path: Path) -> None:
    os.symlink("/etc/passwd", home.path / "facts" / "link")
    os.mkfifo(home.path / "pipe")
    before = set(tmp_path.iterdir())
    with pytest.raises(BackupError) as told:
        backup(home, tmp_path / "file")

    assert [text.partition(":")[0] for text in told.value.reasons] == ["facts/link", "pipe"]
    assert set(tmp_path.iterdir()) == before


def test_a_damaged_blob_is_told_and_makes_no_backup(home: Home, tmp_path: Path) -> None:
    blob = Library(home.path).path(Library(home.path).list().binaries[0].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"b kubelet")
    with pytest.raises(BackupError, match=f"cannot back up {blob}: it changed"):
        backup(home, tmp_path / "file")

    assert not (tmp_path / "file").exists()


def flipped(data: bytes) -> bytes:
    at = data.index(b"home/store.db") + 512 + 100
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def cut(data: bytes) -> bytes:
    return data[: data.rindex(b"end\0\0\0")]


def swapped(data: bytes) -> bytes:
    return data.replace(b"home/keys/link.key", b"home/keys/lino.key", 1)


def renamed(data: bytes) -> bytes:
    """Another manifest, in which a file goes elsewhere: the tar's sums know nothing of it."""
    return data.replace(b'"keys/link.key"', b'"keys/lino.key"', 1)


def outside(data: bytes) -> bytes:
    return data.replace(b'"keys/link.key"', b'"../../../../k"', 1)


def endless(data: bytes) -> bytes:
    """A header that is whole, and says a size that no file has."""
    at = data.index(b"home/store.db")
    header = bytearray(data[at : at + 512])
    header[124:136] = b"\x80" + b"\0" * 3 + b"\x7f" + b"\xff" * 7
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return data[:at] + bytes(header) + data[at + 512 :]


DAMAGES: dict[Callable[[bytes], bytes], str] = {
    flipped: "store.db: its SHA-256 is not",
    cut: "cut short",
    swapped: "keys/link.key: the file ends in its place",
    renamed: "stands in its place",
    outside: "cannot read the manifest",
    endless: "it is no backup, or it was cut short or damaged",
}


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
def test_a_damaged_backup_puts_nothing_in_place(
    home: Home, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    file, place = tmp_path / "file", tmp_path / "again"
    backup(home, file)
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(BackupError, match=DAMAGES[damage]):
        back(file, place)

    assert not place.exists()
    assert not list(tmp_path.glob(".again-*"))


def test_no_single_bit_of_a_backup_can_change_unseen(home: Home, tmp_path: Path) -> None:
    """But what tar itself pads with, owners and times: none of that is used."""
    file, place = tmp_path / "file", tmp_path / "again"
    manifest = backup(home, file, "blobs")
    data = file.read_bytes()
    with tarfile.open(file) as tar:
        spans = [(one.offset_data, one.size) for one in tar]
    for start, size in spans:
        at = start + size // 2
        file.write_bytes(data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :])
        with pytest.raises(BackupError):
            back(file, place)

    assert len(spans) == len(manifest.parts) + 2
    assert not place.exists()


def test_every_reason_against_a_restore_is_told_at_once(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "file"
    backup(home, file)
    (tmp_path / "text").write_text("no backup\n" * 999)
    file.write_bytes(flipped(file.read_bytes()))
    (home.path / "run").mkdir()
    with (home.path / "run/master.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(BackupError) as told:
            back(file, home.path)
    assert [word in reason for word, reason in zip(
        ("a master runs on", "is not empty", "is damaged"), told.value.reasons, strict=True
    )] == [True] * 3  # fmt: skip
    with pytest.raises(BackupError, match="is no backup, or it was cut short") as told:
        back(tmp_path / "text", tmp_path / "no/home")
    assert "no is no directory" in told.value.reasons[0]


def test_an_empty_directory_is_taken_and_another_is_not(home: Home, tmp_path: Path) -> None:
    backup(home, tmp_path / "file")
    place = tmp_path / "again"
    place.mkdir()
    back(tmp_path / "file", place)
    assert tree(place) == tree(home.path)
    with pytest.raises(BackupError, match=r"is not empty \(blobs, facts, keys, "):
        back(tmp_path / "file", place)


def test_a_store_of_a_newer_release_is_not_opened(home: Home, tmp_path: Path) -> None:
    db = sqlite3.connect(home.store_file)
    db.execute("PRAGMA user_version = 99")
    db.close()
    with pytest.raises(StoreError, match="a newer Saltern wrote it"):
        backup(home, tmp_path / "file")


def test_a_backup_of_a_newer_release_is_refused_before_anything_is_written(
    home: Home, tmp_path: Path
) -> None:
    manifest = backup(home, tmp_path / "file")
    newer = replace(manifest, store_form=99, release="9.9")
    with (
        tarfile.open(tmp_path / "file") as tar,
        (tmp_path / "newer").open("wb") as file,
    ):
        tar.extractall(tmp_path / "files")
        writer = Writer(file, newer, lambda _: None)
        for part in newer.parts:
            writer.add(part, tmp_path / "files/home" / part.name)
        writer.close()
    with pytest.raises(BackupError, match=r"release 9\.9 made it, which is newer than this one"):
        back(tmp_path / "newer", tmp_path / "again")


def test_the_commands(home: Home, tmp_path: Path) -> None:
    run, file = CliRunner(), str(tmp_path / "file")
    at = ["--home", str(home.path)]
    made = run.invoke(app, ["backup", file, *at])
    assert made.exit_code == 0
    assert "holds 5 secret keys of the cluster: keep it as you keep those" in made.stderr
    assert "keys/root.key is one of them, which belongs off this machine" in made.stderr
    shown = json.loads(run.invoke(app, ["backup", "--show", file, "--output", "json"]).stdout)
    assert shown["manifest"]["cluster"] == "demo"
    assert "keys/root.key" in shown["keys"]
    assert run.invoke(app, ["backup", "--show", file, "--without-blobs"]).exit_code == 2
    assert run.invoke(app, ["backup", file, *at]).exit_code == 1
    assert run.invoke(app, ["restore", file, *at]).exit_code == 1
    assert run.invoke(app, ["restore", f"{file}s", *at]).exit_code == 2
    back_again = run.invoke(app, ["restore", file, "--home", str(tmp_path / "again")])
    assert back_again.exit_code == 0
    assert "nodes that joined since are strangers" in back_again.stderr
