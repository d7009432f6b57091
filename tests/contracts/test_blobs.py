"""Blobs: in memory and on the disk."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.blobs import DiskBlobs
from saltern_states.ports import HostError

from tests.contracts.grounds import DiskGround, FakeGround, Ground
from tests.open_descriptors import STRAY, TURNS, open_descriptors

CONTENT = b"content" * 1000
BLOB = sha256(CONTENT).hexdigest()


@pytest.fixture(params=["fake", "disk"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    return FakeGround() if request.param == "fake" else DiskGround(tmp_path)


def test_what_was_brought_is_here(ground: Ground) -> None:
    assert not ground.blobs.has(BLOB)
    with pytest.raises(HostError, match=f"cannot find blob {BLOB}"):
        ground.blobs.path(BLOB)

    ground.put_blob(CONTENT)

    assert ground.blobs.has(BLOB)
    assert ground.blobs.path(BLOB).name == BLOB


def test_what_came_damaged_is_not_kept(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "own")

    with pytest.raises(HostError, match=f"cannot keep blob {BLOB}: what came is"):
        blobs.add(BLOB, [CONTENT, b"more"])

    assert os.listdir(tmp_path / "own") == []


def test_damage_is_seen_at_the_next_question(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path)
    blobs.add(BLOB, [CONTENT[:100], CONTENT[100:]])
    assert blobs.has(BLOB)

    (tmp_path / BLOB).chmod(0o600)
    (tmp_path / BLOB).write_bytes(CONTENT[:-1] + b"T")

    assert not blobs.has(BLOB)
    blobs.add(BLOB, [CONTENT])
    assert blobs.has(BLOB)


def test_others_are_read_and_never_written(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / BLOB).write_bytes(CONTENT)
    blobs = DiskBlobs(tmp_path / "own", theirs)

    assert blobs.path(BLOB) == theirs / BLOB
    blobs.drop(BLOB)
    assert blobs.has(BLOB)
    assert blobs.names() == ()


@pytest.mark.parametrize("name", ["../" + "a" * 61, "A" * 64, "a" * 63, "a" * 64 + "\n", ""])
def test_a_name_that_is_no_hash_is_refused(tmp_path: Path, name: str) -> None:
    blobs = DiskBlobs(tmp_path)
    with pytest.raises(HostError, match="cannot name a blob"):
        blobs.has(name)
    with pytest.raises(HostError, match="cannot name a blob"):
        blobs.add(name, [b""])


def test_a_symlink_or_a_fifo_is_no_blob(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(CONTENT)
    (tmp_path / "own").mkdir()
    blobs = DiskBlobs(tmp_path / "own")
    (tmp_path / "own" / BLOB).symlink_to(tmp_path / "elsewhere")
    assert not blobs.has(BLOB)
    (tmp_path / "own" / BLOB).unlink()
    os.mkfifo(tmp_path / "own" / BLOB)

    assert not blobs.has(BLOB)


def test_what_nothing_needs_any_more_goes(ground: Ground) -> None:
    needed, other = ground.put_blob(b"needed"), ground.put_blob(b"other")

    ground.blobs.keep_only(frozenset({needed}), before=0.0)  # both came later
    assert ground.blobs.has(other)

    ground.blobs.keep_only(frozenset({needed}), before=4e9)
    assert ground.blobs.has(needed)
    assert not ground.blobs.has(other)


def test_a_blob_comes_in_pieces_and_is_here_when_it_is_whole(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "own")
    writer = blobs.begin(BLOB)
    writer.write(CONTENT[:100])

    assert blobs.sweep() == ()  # a living process is at work on it
    assert blobs.names() == ()

    writer.write(CONTENT[100:])
    writer.finish()
    assert writer.size == len(CONTENT)
    assert blobs.has(BLOB)
    assert os.listdir(tmp_path / "own") == [BLOB]


def test_what_is_let_go_of_half_way_leaves_nothing(tmp_path: Path) -> None:
    blobs = DiskBlobs(tmp_path / "own")
    before = open_descriptors()
    for _ in range(TURNS):
        writer = blobs.begin(BLOB)
        writer.write(CONTENT[:100])
        writer.drop()
        writer.drop()

    assert os.listdir(tmp_path / "own") == []
    assert open_descriptors() < before + STRAY


def test_a_blob_that_leaves_the_node_no_room_is_refused_before_it_comes(tmp_path: Path) -> None:
    found = os.statvfs(tmp_path)
    free = found.f_bavail * found.f_frsize
    size = min(free, (2 << 30) - 1)
    blobs = DiskBlobs(tmp_path / "own")

    blobs.room(1)
    with pytest.raises(HostError, match=r"make room|are the most"):
        blobs.room(free if size == free else (2 << 30) + 1)
