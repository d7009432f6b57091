"""inotify and the mount table, on the filesystem that the tests run on."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.host.events.inotify import Event, parse
from saltern_agent.host.events.mounts import mount_points
from saltern_agent.host.events.paths import PathSource
from saltern_agent.sources import Events
from saltern_states.contract import Watch, WatchPath, WatchTimer
from saltern_states.ports import HostError

from tests.agent import damages
from tests.agent.damages import Damage
from tests.agent.waiting import drain, few_descriptors, wait_for
from tests.open_descriptors import STRAY, open_descriptors


@pytest.fixture
def source() -> Iterator[PathSource]:
    source = PathSource()
    yield source
    source.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    damages.lay(tmp_path)
    return tmp_path


@pytest.mark.parametrize("damage", damages.FILE_DAMAGES + damages.BOTH_DAMAGES)
def test_below_another_root_paths_are_its_own(root: Path, damage: Damage) -> None:
    source = PathSource(root)
    watches = watched(source, Path("/") / damages.FILE)
    damage(root)
    assert drain(source) == Events(watches)
    source.close()


def watched(source: PathSource, *paths: Path) -> frozenset[Watch]:
    watches: frozenset[Watch] = frozenset(WatchPath(path) for path in paths)
    source.set_watches(watches)
    return watches


@pytest.mark.parametrize("damage", damages.FILE_DAMAGES + damages.BOTH_DAMAGES)
def test_damage_to_a_file_is_told(source: PathSource, root: Path, damage: Damage) -> None:
    watches = watched(source, root / damages.FILE)
    damage(root)
    assert drain(source) == Events(watches)


@pytest.mark.parametrize("damage", damages.DIRECTORY_DAMAGES + damages.BOTH_DAMAGES)
def test_damage_to_a_directory_is_told(source: PathSource, root: Path, damage: Damage) -> None:
    watches = watched(source, root / damages.DIRECTORY)
    damage(root)
    assert drain(source) == Events(watches)


@pytest.mark.parametrize("harmless", damages.HARMLESS)
def test_what_is_no_damage_is_not_told(source: PathSource, root: Path, harmless: Damage) -> None:
    watched(source, root / damages.FILE, root / damages.DIRECTORY)
    harmless(root)
    assert drain(source) == Events()


@pytest.mark.parametrize("damage", damages.FILE_DAMAGES + damages.BOTH_DAMAGES)
def test_after_every_damage_the_next_one_is_told(
    source: PathSource, root: Path, damage: Damage
) -> None:
    watches = watched(source, root / damages.FILE)
    damage(root)
    drain(source)
    file = root / damages.FILE
    if file.is_symlink() or not file.exists():
        file.unlink(missing_ok=True)
        file.parent.mkdir(parents=True, exist_ok=True)
    elif file.is_dir():
        file.rmdir()
    if (root / "etc/app").is_symlink():
        (root / "etc/app").unlink()
        (root / damages.DIRECTORY).mkdir(parents=True)
    file.write_text("three\n")
    drain(source)
    with file.open("a") as again:
        again.write("four\n")
    assert drain(source) == Events(watches)


def test_a_damage_touches_the_damaged_alone(source: PathSource, root: Path) -> None:
    neighbour = root / damages.DIRECTORY / "neighbour.conf"
    watched(source, root / damages.FILE, neighbour)
    damages.replace(root)
    assert drain(source).touched == {WatchPath(root / damages.FILE)}


def test_a_path_whose_parents_are_missing_is_told_when_it_appears(
    source: PathSource, tmp_path: Path
) -> None:
    path = tmp_path / "a/b/c/file"
    watches = watched(source, path)
    path.parent.mkdir(parents=True)
    assert drain(source).touched == watches
    path.write_text("one\n")
    assert drain(source).touched == watches
    path.chmod(0o600)
    assert drain(source).touched == watches


def test_behind_a_symlink_nothing_is_heard_but_the_symlink(source: PathSource, root: Path) -> None:
    link = root / "etc/way"
    link.symlink_to(root / damages.DIRECTORY)
    watched(source, link)
    watches = watched(source, link, link / "app.conf")
    damages.edit(root)
    assert drain(source) == Events()
    link.unlink()
    assert drain(source).touched == watches


def test_two_names_of_one_file_both_hear(source: PathSource, root: Path) -> None:
    other = root / "elsewhere/link"
    other.hardlink_to(root / damages.FILE)
    watches = watched(source, root / damages.FILE, other)
    damages.edit(root)
    assert drain(source).touched == watches
    watched(source, other)
    damages.edit(root)
    assert drain(source).touched == {WatchPath(other)}


def test_what_is_no_longer_watched_is_not_told(source: PathSource, root: Path) -> None:
    watched(source, root / damages.FILE, root / damages.DIRECTORY)
    source.set_watches(frozenset({WatchPath(root / damages.DIRECTORY), WatchTimer(1.0)}))
    damages.edit(root)
    assert drain(source) == Events()


def inotify_watches() -> int:
    """Count every inotify watch of this process, as the kernel shows them."""
    infos = [info.read_text() for info in Path("/proc/self/fdinfo").iterdir() if info.exists()]
    return sum(info.count("inotify wd:") for info in infos)


def test_nothing_leaks_over_a_thousand_changes_of_watches(root: Path) -> None:
    descriptors = open_descriptors()
    before = inotify_watches()
    source = PathSource()
    idle = inotify_watches()
    for cycle in range(1000):
        watched(source, root / damages.FILE, root / f"missing{cycle % 7}/file")
        if cycle % 10 == 0:
            damages.make_anew(root)
            damages.directory_away_and_back(root)
            source.read()
        source.set_watches(frozenset())
    assert inotify_watches() == idle
    source.close()
    assert inotify_watches() == before
    assert open_descriptors() < descriptors + STRAY


def test_overflow_is_told_and_all_is_heard_again_after(source: PathSource, root: Path) -> None:
    directory = root / damages.DIRECTORY
    watched(source, directory, root / damages.FILE)
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    here, there = directory / "neighbour.conf", directory / "moved"
    for _ in range(limit // 2 + 1):  # a rename is two events
        here.rename(there)
        here, there = there, here
    damages.replace_directory(root)
    assert wait_for(source, lambda events: events.lost).lost
    drain(source)
    damages.edit(root)
    assert drain(source) == Events(frozenset({WatchPath(root / damages.FILE)}))


def test_what_cannot_be_watched_is_trouble_and_not_silence(source: PathSource, root: Path) -> None:
    impossible = root / ("x" * 300)
    watches = watched(source, impossible / "file", root / damages.FILE)
    assert source.trouble() == f"cannot watch {impossible}: File name too long"
    damages.edit(root)
    assert drain(source).touched == watches & {WatchPath(root / damages.FILE)}
    source.set_watches(frozenset())
    assert source.trouble() == ""


def test_without_descriptors_there_is_no_source() -> None:
    with few_descriptors(0), pytest.raises(HostError, match="cannot watch files: Too many open"):
        PathSource()


# In a user namespace, whose number of instances is its own: this machine's is shared.
WITHOUT_INOTIFY = """
import sys
from pathlib import Path
from saltern_agent.host.events.paths import PathSource
from saltern_states.contract import WatchPath
from tests.agent.waiting import drain
most, file = Path("/proc/sys/user/max_inotify_instances"), Path(sys.argv[1])
most.write_text("0")
watches = frozenset({WatchPath(file)})
source = PathSource()
source.set_watches(watches)
file.write_text("unheard")
assert not drain(source).touched
print(source.trouble())
most.write_text("1")
source.set_watches(watches)
assert not source.trouble()
file.write_text("heard")
assert drain(source).touched == watches
source.close()
"""


@pytest.mark.system
def test_without_inotify_it_says_what_to_raise_and_hears_again_later(tmp_path: Path) -> None:
    namespace = ["/usr/bin/unshare", "--user", "--map-root-user"]
    done = subprocess.run(
        [*namespace, sys.executable, "-c", WITHOUT_INOTIFY, str(tmp_path / "file")],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("cannot watch files, and looks at them by the clock alone: ")
    assert "sysctl fs.inotify.max_user_instances=8192" in done.stdout


GOLDEN = bytes.fromhex(  # mv a b in a watched directory, then rm of a watched file
    "0100000040000000070000001000000061000000000000000000000000000000"
    "0100000080000000070000001000000062000000000000000000000000000000"
    "02000000008000000000000000000000"
)


def test_golden_bytes_of_inotify() -> None:
    assert tuple(parse(GOLDEN)) == (Event(1, 0x40, "a"), Event(1, 0x80, "b"), Event(2, 0x8000, ""))


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_to_the_end(data: bytes) -> None:
    assert len(tuple(parse(data))) <= len(data) // 16


def test_mount_points_that_came_went_or_changed() -> None:
    root = b"21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"
    etc = b"40 21 0:40 / /etc/a\\040b rw,relatime - tmpfs tmpfs rw,size=64k\n"
    read_only = etc.replace(b"rw,relatime", b"ro,relatime")
    assert mount_points(root, root + etc) == {"/etc/a b"}
    assert mount_points(root + etc, root + read_only) == {"/etc/a b"}
    assert mount_points(root + etc, root) == {"/etc/a b"}
    assert mount_points(root + etc, etc + root) == frozenset()
