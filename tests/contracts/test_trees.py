"""Trees: archives unpacked in memory and on the disk, compared and swapped whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from saltern_states.ports import HostError, MovedError, Tree

from tests.contracts.grounds import GROUP, OWNER, DiskGround, FakeGround, Ground, archive

PATH = Path("/opt/cni")
MEMBERS = {
    "bin": None,
    "bin/bridge": b"\x7fELF bridge",
    "bin/host-local": b"\x7fELF",
    "NOTICE": b"",
}


@pytest.fixture(params=["fake", "disk"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Ground:
    ground: Ground = FakeGround() if request.param == "fake" else DiskGround(tmp_path)
    ground.put_directory("/opt")
    return ground


def unpacked(ground: Ground, blob: str, mode: int = 0o755) -> Tree:
    ground.trees.unpack(PATH, ground.trees.look(PATH), blob, mode, OWNER, GROUP)
    tree = ground.trees.look(PATH)
    assert tree is not None
    return tree


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:xz"])
def test_a_tree_holds_exactly_the_members(ground: Ground, kind: str) -> None:
    blob = ground.put_blob(archive(MEMBERS, kind=kind))

    assert unpacked(ground, blob, 0o750) == Tree(blob, 0o750, OWNER, GROUP)

    assert ground.files.read(PATH / "bin/bridge") == b"\x7fELF bridge"
    assert ground.files.names(PATH / "bin") == ("bridge", "host-local")
    assert ground.files.names(Path("/opt")) == ("cni",)


def test_directories_that_the_archive_does_not_name_are_made(ground: Ground) -> None:
    unpacked(ground, ground.put_blob(archive({"./a/b/c": b"deep"})))

    assert ground.files.read(PATH / "a/b/c") == b"deep"


def test_set_id_and_others_write_bits_are_dropped(ground: Ground) -> None:
    unpacked(ground, ground.put_blob(archive({"su": b"x"}, mode=0o6777)))

    entry = ground.files.look(PATH / "su")
    assert entry is not None
    assert entry.mode == 0o755


def test_what_was_done_to_a_tree_is_told_and_undone(ground: Ground) -> None:
    blob = ground.put_blob(archive(MEMBERS))
    whole = unpacked(ground, blob)
    ground.put_file("/opt/cni/bin/bridge", b"\x7fELF brodge", 0o755)
    ground.put_file("/opt/cni/bin/flannel", b"stray")
    ground.take("/opt/cni/NOTICE")

    tree = ground.trees.look(PATH)

    lines = ("edited bin/bridge", "missing NOTICE", "stray bin/flannel")
    assert tree == replace(whole, differs=lines)
    assert unpacked(ground, blob) == whole
    assert ground.files.names(PATH / "bin") == ("bridge", "host-local")


def test_a_new_archive_takes_the_place_of_the_old_one(ground: Ground) -> None:
    unpacked(ground, ground.put_blob(archive(MEMBERS)))
    blob = ground.put_blob(archive({"bin/ptp": b"new"}))

    assert unpacked(ground, blob) == Tree(blob, 0o755, OWNER, GROUP)

    assert ground.files.names(PATH / "bin") == ("ptp",)
    assert ground.files.names(Path("/opt")) == ("cni",)


def test_an_empty_directory_is_taken_over_and_a_full_one_is_not(ground: Ground) -> None:
    blob = ground.put_blob(archive(MEMBERS))
    ground.put_directory("/opt/cni", 0o700)
    assert ground.trees.look(PATH) == Tree("", 0o700, OWNER, GROUP)
    unpacked(ground, blob)
    ground.put_file("/opt/other/theirs", b"")
    other = ground.trees.look(Path("/opt/other"))
    with pytest.raises(HostError, match=r"\Acannot unpack into /opt/other: "):
        ground.trees.unpack(Path("/opt/other"), other, blob, 0o755, OWNER, GROUP)
    assert ground.files.names(Path("/opt/other")) == ("theirs",)


def test_nothing_is_done_to_what_moved(ground: Ground) -> None:
    blob = ground.put_blob(archive(MEMBERS))
    whole = unpacked(ground, blob)
    moved = replace(whole, differs=("edited bin/bridge",))
    attempts: tuple[Callable[[], None], ...] = (
        lambda: ground.trees.unpack(PATH, None, blob, 0o755, OWNER, GROUP),
        lambda: ground.trees.unpack(PATH, moved, blob, 0o755, OWNER, GROUP),
        lambda: ground.trees.remove(PATH, moved),
    )
    for attempt in attempts:
        with pytest.raises(MovedError, match=r"\Acannot change /opt/cni: .* plan again\Z"):
            attempt()
    assert ground.trees.look(PATH) == whole


def test_behind_a_symlink_there_is_no_tree(ground: Ground) -> None:
    blob = ground.put_blob(archive(MEMBERS))
    unpacked(ground, blob)
    ground.put_symlink("/link", "opt")
    ground.put_symlink("/opt/link", "cni")

    for path in (Path("/link/cni"), Path("/opt/link")):
        assert ground.trees.look(path) is None
        with pytest.raises(HostError):
            ground.trees.unpack(path, None, blob, 0o755, OWNER, GROUP)
    assert ground.files.names(Path("/opt")) == ("cni", "link")


def test_only_a_tree_of_ours_is_removed(ground: Ground) -> None:
    whole = unpacked(ground, ground.put_blob(archive(MEMBERS)))
    ground.put_file("/opt/theirs/a", b"")
    theirs = ground.trees.look(Path("/opt/theirs"))
    assert theirs is not None

    ground.trees.remove(PATH, whole)

    assert ground.trees.look(PATH) is None
    with pytest.raises(HostError, match="cannot remove /opt/theirs: we unpacked nothing"):
        ground.trees.remove(Path("/opt/theirs"), theirs)
    assert ground.files.names(Path("/opt")) == ("theirs",)


@pytest.mark.parametrize("name", ["/etc/passwd", "../passwd", "a/../../passwd", "a/.."])
def test_a_name_that_leads_out_is_refused(ground: Ground, name: str) -> None:
    blob = ground.put_blob(archive({"good": b"", name: b"root::0:0"}))

    with pytest.raises(HostError, match=r"\Acannot unpack"):
        unpacked(ground, blob)

    assert ground.trees.look(PATH) is None
    assert ground.files.names(Path("/opt")) == ()


def test_an_edit_by_rename_or_of_mode_is_seen(tmp_path: Path) -> None:
    ground = DiskGround(tmp_path)
    ground.put_directory("/opt")
    whole = unpacked(ground, ground.put_blob(archive(MEMBERS)))
    bridge = ground.real("/opt/cni/bin/bridge")
    bridge.chmod(0o4755)
    other = ground.real("/opt/cni/other")
    other.write_bytes(b"\x7fELF")
    os.replace(other, ground.real("/opt/cni/bin/host-local"))
    ground.real("/opt/cni/NOTICE").unlink()
    ground.put_symlink("/opt/cni/NOTICE", "bin/bridge")

    tree = ground.trees.look(PATH)

    lines = ("edited NOTICE", "edited bin/bridge", "edited bin/host-local")
    assert tree == replace(whole, differs=lines)


def test_a_manifest_that_others_may_write_is_none(tmp_path: Path) -> None:
    ground = DiskGround(tmp_path)
    ground.put_directory("/opt")
    unpacked(ground, ground.put_blob(archive(MEMBERS)))

    ground.real("/opt/cni/.saltern-manifest").chmod(0o666)

    tree = ground.trees.look(PATH)
    assert tree is not None
    assert tree.archive == ""


def test_of_a_stray_directory_only_its_own_name_is_told(ground: Ground) -> None:
    blob = ground.put_blob(archive({"bin/bridge": b"bridge"}))
    ground.put_directory("/opt")
    ground.trees.unpack(PATH, None, blob, 0o755, OWNER, GROUP)
    ground.put_directory("/opt/cni/bin/more")
    ground.put_file("/opt/cni/bin/more/file", b"stray")
    tree = ground.trees.look(PATH)
    assert tree is not None
    assert tree.differs == ("stray bin/more",)
