"""Events of paths on the filesystems of a node, and of mounts, in a mount namespace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saltern_agent.host.events.paths import PathSource
from saltern_agent.sources import Events
from saltern_states.contract import Watch, WatchPath

from tests.agent import damages
from tests.agent.damages import Damage
from tests.agent.waiting import drain
from tests.system.event_namespaces import mount_namespace, run

pytestmark = pytest.mark.system


def mount(kind: str, at: Path, options: str = "rw") -> None:
    run("/usr/bin/mount", "-t", kind, "-o", options, "--", kind, str(at))


@contextmanager
def listening(*paths: Path) -> Iterator[tuple[PathSource, frozenset[Watch]]]:
    watches: frozenset[Watch] = frozenset(WatchPath(path) for path in paths)
    source = PathSource()
    source.set_watches(watches)
    try:
        yield source, watches
    finally:
        source.close()


@pytest.fixture(params=["tmpfs", "overlay"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A tree that lies, for overlay, in the lower layer: the first write copies it up."""
    with mount_namespace():
        mount("tmpfs", tmp_path)
        lower, upper, work, merged = (tmp_path / name for name in ("low", "up", "work", "merged"))
        for directory in (lower, upper, work, merged):
            directory.mkdir()
        damages.lay(lower)
        if request.param == "tmpfs":
            yield lower
        else:
            mount("overlay", merged, f"lowerdir={lower},upperdir={upper},workdir={work}")
            yield merged


# On overlayfs a directory of the lower layer cannot be renamed: EXDEV, nothing has happened.
FILE_DAMAGES = (*damages.FILE_DAMAGES, damages.delete_tree, damages.tree_anew)


@pytest.mark.parametrize("damage", FILE_DAMAGES)
def test_damage_to_a_file_is_told(root: Path, damage: Damage) -> None:
    with listening(root / damages.FILE) as (source, watches):
        damage(root)
        assert drain(source) == Events(watches)


@pytest.mark.parametrize("damage", damages.DIRECTORY_DAMAGES)
def test_damage_to_a_directory_is_told(root: Path, damage: Damage) -> None:
    with listening(root / damages.DIRECTORY) as (source, watches):
        damage(root)
        assert drain(source) == Events(watches)


@pytest.mark.parametrize("harmless", damages.HARMLESS)
def test_what_is_no_damage_is_not_told(root: Path, harmless: Damage) -> None:
    with listening(root / damages.FILE, root / damages.DIRECTORY) as (source, _):
        harmless(root)
        assert drain(source) == Events()


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    damages.lay(tmp_path)
    with mount_namespace():
        yield tmp_path


def test_a_mount_above_hides_and_uncovers(tree: Path) -> None:
    with listening(tree / damages.FILE, tree / "elsewhere/file") as (source, _):
        watch = WatchPath(tree / damages.FILE)
        mount("tmpfs", tree / "etc")
        assert drain(source) == Events(frozenset({watch}))
        (tree / damages.DIRECTORY).mkdir(parents=True)
        (tree / damages.FILE).write_text("on the tmpfs\n")
        assert drain(source) == Events(frozenset({watch}))
        run("/usr/bin/umount", str(tree / "etc"))
        assert drain(source) == Events(frozenset({watch}))
        damages.edit(tree)
        assert drain(source) == Events(frozenset({watch}))


def test_a_file_mounted_over_the_file_is_told(tree: Path) -> None:
    other = tree / "elsewhere/other"
    other.write_text("other\n")
    with listening(tree / damages.FILE) as (source, watches):
        run("/usr/bin/mount", "--bind", "--", str(other), str(tree / damages.FILE))
        assert drain(source) == Events(watches)
        other.write_text("edited where it is mounted from\n")
        assert drain(source) == Events(watches)


def test_a_remount_is_told(tree: Path) -> None:
    mount("tmpfs", tree / "etc")
    damages_path = tree / damages.FILE
    with listening(damages_path) as (source, watches):
        run("/usr/bin/mount", "-o", "remount,ro", "--", str(tree / "etc"))
        assert drain(source) == Events(watches)


def test_a_mount_on_an_entry_is_told_of_its_directory_alone(tree: Path) -> None:
    with listening(tree / "etc", tree / damages.FILE) as (source, _):
        mount("tmpfs", tree / "etc/app", "rw")
        assert drain(source).touched == {WatchPath(tree / "etc"), WatchPath(tree / damages.FILE)}
        (tree / "etc/app/x/y").mkdir(parents=True)
        drain(source)
        mount("tmpfs", tree / "etc/app/x/y")
        mount("tmpfs", tree / "elsewhere")
        assert drain(source) == Events()


def test_a_directory_that_may_not_be_read_is_trouble(tree: Path) -> None:
    os.chmod(tree / "elsewhere", 0o700)
    os.seteuid(65534)
    try:
        with listening(tree / "elsewhere/file") as (source, _):
            assert source.trouble().startswith("cannot watch ")
            assert source.trouble().endswith("Permission denied")
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("at", ["", "etc", "etc/app"])
def test_below_another_root_a_mount_over_the_way_is_told(root: Path, at: str) -> None:
    source = PathSource(root)
    watches: frozenset[Watch] = frozenset({WatchPath(Path("/") / damages.FILE)})
    source.set_watches(watches)
    mount("tmpfs", root / "elsewhere")
    assert drain(source) == Events()
    mount("tmpfs", root / at)
    assert drain(source).touched == watches
    source.close()
