"""What is swept and taken away, where somebody may write beside it: depth, leases, links."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from saltern_agent.host.temporary import remove_tree

from tests.agent.deep import make_deep
from tests.agent.leases import LEASE_SECONDS, lease_held
from tests.contracts.grounds import GROUP, OWNER, DiskGround, archive

SECRET = b"outside and not to be touched"


@pytest.fixture
def ground(tmp_path: Path) -> DiskGround:
    (tmp_path / "outside").write_bytes(SECRET)
    return DiskGround(tmp_path)


def test_what_is_deep_is_seen_and_taken_away(ground: DiskGround) -> None:
    ground.put_directory("/opt")
    path = Path("/opt/cni")
    ground.trees.unpack(path, None, ground.put_blob(archive({"a": b"a"})), 0o755, OWNER, GROUP)
    make_deep(ground.real("/opt/cni/deep"))
    make_deep(ground.real("/opt/.saltern-0123456789abcdef"))

    assert ground.files.sweep([Path("/opt")]) == (Path("/opt/.saltern-0123456789abcdef"),)
    tree = ground.trees.look(path)
    assert tree is not None
    assert tree.differs == ("stray deep",)
    ground.trees.remove(path, tree)
    assert os.listdir(ground.real("/opt")) == []


def test_a_sweep_neither_fails_nor_waits_for_what_somebody_put_in_its_way(
    ground: DiskGround, tmp_path: Path
) -> None:
    ground.put_directory("/etc")
    ground.put_file("/etc/.saltern-0123456789abcdef", b"")
    ground.put_file("/etc/.saltern-fedcba9876543210", b"left")
    ground.put_symlink("/linked", "../outside")
    began = time.monotonic()
    with lease_held(ground.real("/etc/.saltern-0123456789abcdef")):
        swept = ground.files.sweep([Path("/linked"), Path("/etc")])
    assert time.monotonic() - began < LEASE_SECONDS
    assert swept == (Path("/etc/.saltern-fedcba9876543210"),)
    assert (tmp_path / "outside").read_bytes() == SECRET


def test_a_tree_is_removed_with_its_links_and_not_what_they_lead_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").write_bytes(SECRET)
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "below" / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "tree" / "link").symlink_to("../kept")
    os.mkfifo(tmp_path / "tree" / "below" / "pipe")
    directory = os.open(tmp_path, os.O_RDONLY)
    remove_tree(directory, "tree")
    with pytest.raises(OSError, match=r"Not a directory"):
        remove_tree(directory, "kept/file")
    os.close(directory)
    assert os.listdir(tmp_path) == ["kept"]
    assert (tmp_path / "kept" / "file").read_bytes() == SECRET
