"""A hundred thousand events and ten thousand files beside: nothing grows, and the last is told.

Real inotify in a directory of the test's own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from saltern_agent.host.events.paths import PathSource
from saltern_agent.noticing import Notices, watched
from saltern_agent.sources import Events
from saltern_states.body import Body, Resource
from saltern_states.contract import Watch, WatchPath
from saltern_states.file import File

from tests.agent.waiting import drain
from tests.open_descriptors import STRAY, open_descriptors

EVENTS = 100_000
AT_ONCE = 1_000  # between two reads: far less than a queue takes (max_queued_events 16,384)
UNRELATED = 10_000
QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")
GROWTH_KIB = 1024  # a page that is touched late is no leak; a leak of 16 bytes an event is one


@pytest.fixture
def source() -> Iterator[PathSource]:
    source = PathSource()
    yield source
    source.close()


def memory_kib() -> int:
    found = re.search(r"^Private_Dirty:\s+(\d+)", Path("/proc/self/smaps_rollup").read_text(), re.M)
    assert found
    return int(found[1])


def least_growth(turn: Callable[[], None]) -> int:
    """Give by how much memory grew in a turn, in KiB: of three turns the least, or what suffices.

    A leak is in each of them. What other tests left in this process may take some in one.
    """
    grown = []
    for _ in range(3):
        before = memory_kib()
        turn()
        grown.append(memory_kib() - before)
        if grown[-1] < GROWTH_KIB:
            break
    return min(grown)


def inotify_watches(source: PathSource) -> int:
    infos = (path.read_text() for path in Path("/proc/self/fdinfo").iterdir() if path.exists())
    assert source.fileno()
    return sum(info.count("inotify wd:") for info in infos)


def storm(source: PathSource, watch: WatchPath, number: int) -> None:
    """Change it so often that each change is an event, and read now and then."""
    for count in range(number):
        os.utime(watch.path, (count, count % 2))
        if count % AT_ONCE == AT_ONCE - 1:
            assert drain(source) == Events(frozenset({watch}))


def test_a_hundred_thousand_events_leave_nothing(source: PathSource, tmp_path: Path) -> None:
    watch = WatchPath(tmp_path / "file")
    watch.path.write_text("")
    source.set_watches(frozenset({watch}))
    storm(source, watch, EVENTS // 10)
    descriptors, watches = open_descriptors(), inotify_watches(source)
    assert least_growth(lambda: storm(source, watch, EVENTS)) < GROWTH_KIB
    assert open_descriptors() < descriptors + STRAY
    assert inotify_watches(source) == watches


def test_ten_thousand_files_beside_are_no_events_and_leave_nothing(
    source: PathSource, tmp_path: Path
) -> None:
    """They come, are written, and go, in the directory of what is watched."""
    watch = WatchPath(tmp_path / "file")
    watch.path.write_text("")
    source.set_watches(frozenset({watch}))
    write_beside(source, tmp_path, UNRELATED // 10)
    descriptors, watches = open_descriptors(), inotify_watches(source)
    assert least_growth(lambda: write_beside(source, tmp_path, UNRELATED)) < GROWTH_KIB
    assert open_descriptors() < descriptors + STRAY
    assert inotify_watches(source) == watches
    watch.path.write_text("it is heard as before")
    assert drain(source) == Events(frozenset({watch}))


def write_beside(source: PathSource, folder: Path, number: int) -> None:
    for count in range(number):
        path = folder / f"beside{count}"
        path.write_bytes(b"x")
        path.unlink()
        if count % AT_ONCE == AT_ONCE - 1:
            assert drain(source) == Events()


def test_a_directory_whose_entries_come_and_go_costs_no_watch(
    source: PathSource, tmp_path: Path
) -> None:
    """Replaced by rename and made anew, ten thousand times: the old inodes' watches are gone."""
    watch = WatchPath(tmp_path / "file")
    watch.path.write_text("")
    source.set_watches(frozenset({watch}))
    before = inotify_watches(source)
    other = tmp_path / "other"
    for _ in range(UNRELATED // 10):
        other.write_bytes(b"x")
        other.rename(watch.path)
        assert drain(source) == Events(frozenset({watch}))
    assert inotify_watches(source) == before


def test_changes_beyond_a_queue_are_lost_and_everything_is_looked_at(
    source: PathSource, tmp_path: Path
) -> None:
    """An overflow touches all, and what comes after it is heard."""
    files = [WatchPath(tmp_path / str(number)) for number in range(100)]
    for one in files:
        one.path.write_text("declared")
    wanted: frozenset[Watch] = frozenset(files)
    source.set_watches(wanted)
    for number in range(int(QUEUE.read_text()) + 100):  # one after the other: none is folded
        files[number % 100].path.chmod(0o600 if number % 200 < 100 else 0o644)
    told = drain(source)
    assert told.lost
    assert told.touched == wanted
    files[0].path.write_text("after it")
    assert files[0] in drain(source).touched


def test_a_storm_makes_one_look_and_not_ten_thousand() -> None:
    """What is noticed twice before it was looked at is one, and as old as its first sign."""
    resource = Resource(id="site/a", spec=File(path="/etc/a", text=""))
    notices = Notices(watched(Body(resources=(resource,))))
    for at in range(10_000):
        notices.touch((WatchPath(Path("/etc/a")),), "event", at / 10_000)
    taken = notices.take(1.0)
    assert {name: one.since for name, one in taken.items()} == {"site/a": 0.0}
    assert not notices.take(1.0)
