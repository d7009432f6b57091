"""Hashes that outlive the agent: believed only for the very file that was hashed."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import pytest
from saltern_agent.host.hashes import COARSE_NS, Hashes, kernel_now, stamp
from saltern_agent.host.kept_hashes import WORTH_BYTES, KeptHashes

LARGE = b"x" * WORTH_BYTES


def later() -> int:
    """As some seconds from now: what was just written is at rest."""
    return kernel_now() + 2 * COARSE_NS


def agent(folder: Path) -> Hashes:
    """Start one: it knows what is kept."""
    return Hashes(now=later, kept=KeptHashes(folder / "run/hashes"))


def hashed(hashes: Hashes, path: Path) -> str:
    with path.open("rb") as file:
        return hashes.of(file.fileno(), os.fstat(file.fileno()), path)


def knows(hashes: Hashes, path: Path) -> str | None:
    return hashes.known(path.stat())


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "kubelet"
    path.write_bytes(LARGE)
    return path


def test_the_next_agent_knows_what_this_one_hashed(tmp_path: Path, large: Path) -> None:
    found = hashed(agent(tmp_path), large)
    assert found == sha256(LARGE).hexdigest()
    assert knows(agent(tmp_path), large) == found


def test_a_file_that_changed_since_is_hashed_anew(tmp_path: Path, large: Path) -> None:
    hashed(agent(tmp_path), large)
    before = large.stat()
    with large.open("r+b") as file:
        file.write(b"y")
    os.utime(large, ns=(before.st_atime_ns, before.st_mtime_ns))  # the ctime cannot be set back

    again = agent(tmp_path)
    assert knows(again, large) is None
    assert hashed(again, large) == sha256(b"y" + LARGE[1:]).hexdigest()


def test_what_is_small_is_not_kept(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.write_bytes(b"x")
    first = agent(tmp_path)
    hashed(first, small)
    assert knows(first, small) is not None
    assert knows(agent(tmp_path), small) is None
    assert not (tmp_path / "run").exists()


def test_what_has_not_settled_is_not_kept(tmp_path: Path, large: Path) -> None:
    young = Hashes(kept=KeptHashes(tmp_path / "run/hashes"))
    hashed(young, large)
    assert knows(agent(tmp_path), large) is None


def test_what_others_may_write_is_not_believed(tmp_path: Path, large: Path) -> None:
    hashed(agent(tmp_path), large)
    kept = tmp_path / "run/hashes"
    assert kept.stat().st_mode & 0o777 == 0o600
    kept.chmod(0o620)
    assert knows(agent(tmp_path), large) is None


@pytest.mark.parametrize("content", [b"", b"\xff", b"\x91\x01", b"\x91\x92\x91\x01\xa1a", b"{}"])
def test_what_cannot_be_read_is_none(tmp_path: Path, large: Path, content: bytes) -> None:
    found = hashed(agent(tmp_path), large)
    (tmp_path / "run/hashes").write_bytes(content)
    again = agent(tmp_path)
    assert knows(again, large) is None
    assert hashed(again, large) == found
    assert knows(agent(tmp_path), large) == found


def test_a_symlink_in_its_place_is_not_followed(tmp_path: Path, large: Path) -> None:
    hashed(agent(tmp_path), large)
    kept = tmp_path / "run/hashes"
    kept.rename(tmp_path / "elsewhere")
    kept.symlink_to(tmp_path / "elsewhere")
    assert knows(agent(tmp_path), large) is None


def test_where_nothing_can_be_kept_hashing_goes_on(tmp_path: Path, large: Path) -> None:
    (tmp_path / "run").write_text("in the way")
    hashes = agent(tmp_path)
    assert hashed(hashes, large) == knows(hashes, large)
    assert stamp(large.stat())[2] == WORTH_BYTES
