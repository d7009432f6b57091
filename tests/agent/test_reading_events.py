"""What is read since no event tells of it: a file, and what the kernel gives of legacy rules."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.host.events.legacy import COUNTERS, ENTRY_BYTES, LegacyRules, without_counters
from saltern_agent.host.events.readings import ReadingSource
from saltern_agent.sources import Events
from saltern_states.contract import WatchLegacyRules, WatchReading, WatchTimer

from tests.agent.waiting import drain, readable, wait_for
from tests.open_descriptors import STRAY, open_descriptors

SOON = 0.01
EVERY = 0.4


@pytest.fixture
def source() -> Iterator[ReadingSource]:
    source = ReadingSource(SOON)
    yield source
    source.close()


def reads_twice(source: ReadingSource) -> Events:
    """Give what two rounds of reading tell."""
    told = Events()
    for _ in range(2):
        assert readable(source, 5)
        now = source.read()
        told = Events(told.touched | now.touched, told.lost or now.lost)
    return told


def test_what_reads_otherwise_is_told(source: ReadingSource, tmp_path: Path) -> None:
    watch, other = WatchReading(tmp_path / "one"), WatchReading(tmp_path / "other")
    watch.path.write_text("4096\n")
    other.path.write_text("4096\n")
    source.set_watches(frozenset({watch, other}))
    assert reads_twice(source) == Events()
    watch.path.write_text("1\n")
    assert wait_for(source, lambda events: bool(events.touched)) == Events(frozenset({watch}))
    watch.path.write_text("4096\n")
    assert wait_for(source, lambda events: bool(events.touched)) == Events(frozenset({watch}))
    assert reads_twice(source) == Events()


def test_what_changes_all_the_while_is_told_at_each_reading_and_no_oftener(tmp_path: Path) -> None:
    """As the pages in use in /proc/swaps, on a node that may swap."""
    watch = WatchReading(tmp_path / "one")
    source = ReadingSource(EVERY)
    source.set_watches(frozenset({watch}))
    began, told = time.monotonic(), 0
    while time.monotonic() < began + 3 * EVERY:
        watch.path.write_text(str(time.monotonic()))
        told += readable(source, EVERY) and bool(source.read().touched)
    assert 2 <= told <= 3
    source.close()


def test_what_comes_and_goes_and_cannot_be_read_is_told(
    source: ReadingSource, tmp_path: Path
) -> None:
    watch = WatchReading(tmp_path / "one")
    source.set_watches(frozenset({watch}))
    for change in (
        lambda: watch.path.write_text(""),
        watch.path.unlink,
        watch.path.mkdir,
        watch.path.rmdir,
        lambda: watch.path.write_text("x" * 1000),
        lambda: watch.path.write_text("x" * 999 + "y"),
    ):
        change()
        assert wait_for(source, lambda events: bool(events.touched)) == Events(frozenset({watch}))


def test_what_changed_before_the_watches_did_is_told_after(
    source: ReadingSource, tmp_path: Path
) -> None:
    watch = WatchReading(tmp_path / "one")
    watch.path.write_text("a")
    source.set_watches(frozenset({watch}))
    watch.path.write_text("b")
    source.set_watches(frozenset({watch, WatchReading(tmp_path / "other")}))
    assert wait_for(source, lambda events: bool(events.touched)) == Events(frozenset({watch}))


def test_who_watches_nothing_is_not_woken(source: ReadingSource, tmp_path: Path) -> None:
    source.set_watches(frozenset({WatchReading(tmp_path / "one")}))
    source.set_watches(frozenset({WatchTimer(1.0)}))
    assert not readable(source, 20 * SOON)


def test_no_descriptor_is_kept_open(source: ReadingSource, tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(50)]
    for path in paths:
        path.write_text("a")
    before = open_descriptors()
    source.set_watches(frozenset(map(WatchReading, paths)))
    reads_twice(source)
    assert open_descriptors() < before + STRAY


def test_a_legacy_table_that_nobody_made_is_empty_and_is_not_made(tmp_path: Path) -> None:
    names = tmp_path / "ip_tables_names"
    assert LegacyRules(names).read("nat") == b""
    names.write_text("filter\n")
    assert LegacyRules(names).read("nat") == b""


def test_without_the_legacy_back_end_its_watch_is_silent(tmp_path: Path) -> None:
    source = ReadingSource(SOON, LegacyRules(tmp_path / "missing"))
    source.set_watches(frozenset({WatchLegacyRules("nat")}))
    assert reads_twice(source) == Events()
    assert drain(source) == Events()
    source.close()


def entry(fill: int, counters: int, more: int) -> bytes:
    """Make an ipt_entry whose match and target take `more` bytes."""
    plain = bytearray([fill]) * (ENTRY_BYTES + more)
    struct.pack_into("=HH", plain, 88, ENTRY_BYTES, ENTRY_BYTES + more)
    plain[COUNTERS] = struct.pack("=QQ", counters, counters)
    return bytes(plain)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 80)), max_size=6), st.integers(1, 99))
def test_counters_alone_make_no_difference(rules: list[tuple[int, int]], count: int) -> None:
    first = b"".join(entry(fill, 0, more) for fill, more in rules)
    later = b"".join(entry(fill, count, more) for fill, more in rules)
    assert without_counters(first) == without_counters(later) == first
    if rules:
        other = b"".join(entry(255 - fill, 0, more) for fill, more in rules)
        assert without_counters(other) != without_counters(first)


@given(st.binary(max_size=400))
def test_any_bytes_are_read_to_their_end(data: bytes) -> None:
    assert len(without_counters(data)) == len(data)
