"""The log of drift: one order over all nodes, read in pages that leave out and repeat nothing."""

from __future__ import annotations

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.records.codec import put
from saltern_master.records.drift import Drift, writes_of
from saltern_master.records.drift_log import (
    DriftName,
    Place,
    find_drift,
    log_of,
    name_of,
    newest_drift,
)
from saltern_master.store import Entry, MemoryStore

OLD, NEW = "ab" * 16, "cd" * 16
NODES = ("w", "w1", "w10", "w2")


def drift(node: str, number: int, at: int, incarnation: str = NEW) -> Drift:
    return Drift(
        node=node,
        incarnation=incarnation,
        number=number,
        resource="r",
        kind="file/1",
        since=at / 1e6,
        recorded_us=at,
        stored=9.0,
        seen="event",
        found=("changed",),
        healed=1.0,
    )


def store_of(drifts: list[Drift]) -> MemoryStore:
    store = MemoryStore()
    for one in drifts:
        store.commit(*writes_of([one]))
    return store


DRIFTS = st.lists(
    st.builds(
        drift,
        st.sampled_from(NODES),
        st.integers(1, 9),
        st.integers(1, 6),
        st.sampled_from((OLD, NEW)),
    ),
    unique_by=Place.of,
    max_size=40,
)


@given(DRIFTS, st.integers(1, 7))
def test_pages_put_together_are_the_whole_in_one_order(drifts: list[Drift], most: int) -> None:
    store, read = store_of(drifts), list[Drift]()
    while True:
        behind = Place.of(read[-1]) if read else None
        logs = [one for node in NODES for one in log_of(store, node, before=behind)]
        page = sorted(logs, key=Place.of, reverse=True)[:most]
        if not page:
            break
        read += page

    assert read == sorted(drifts, key=Place.of, reverse=True)
    assert list(newest_drift(store, NODES, 100)) == read
    assert all(Place.of(older) < Place.of(newer) for newer, older in pairwise(read))


@given(DRIFTS, st.integers(0, 7), st.integers(0, 7))
def test_a_time_bounds_what_is_read(drifts: list[Drift], since: int, until: int) -> None:
    found = list(log_of(store_of(drifts), "w1", since, until))

    assert {Place.of(one) for one in found} == {
        Place.of(one)
        for one in drifts
        if one.node == "w1" and since <= one.recorded_us and not 0 < until <= one.recorded_us
    }


class CountingStore(MemoryStore):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0

    def list(
        self, prefix: str, *, after: str = "", most: int = 1000, newest: bool = False
    ) -> tuple[Entry, ...]:
        found = super().list(prefix, after=after, most=most, newest=newest)
        self.read += len(found)
        return found


def test_who_wants_ten_of_many_nodes_reads_few_of_each() -> None:
    store, names = CountingStore(), [f"n{number}" for number in range(50)]
    for at, name in enumerate(names * 40, 1):
        store.commit(*writes_of([drift(name, at, at)]))
    found = newest_drift(store, names, 10)

    assert [one.number for one in found] == list(range(2000, 1990, -1))
    assert store.read <= 50 * 4 + 10 * 16


def test_a_drift_is_named_and_found() -> None:
    old, new = drift("w1", 3, 100, OLD), drift("w1", 3, 200)
    again = drift("w1", 4, 300)
    store = store_of([old, new, again, drift("w10", 3, 400)])

    assert (name_of(new, NEW), name_of(old, NEW)) == ("w1:3", "w1:3@abababab")
    assert name_of(old, "") == "w1:3"
    for one in (old, new, again):
        name = DriftName.read(name_of(one, NEW))
        assert name is not None
        assert find_drift(store, name) == one
    assert find_drift(store, DriftName("w1", 9)) is None
    assert find_drift(store, DriftName("w2", 3)) is None


@pytest.mark.parametrize(
    "text",
    ["", "w1", "w1:", ":1", "w1:x", "W1:1", "w1:1@", "w1:1@xy", "w1:1\n", "../w1:1", "w1:-1"],
)
def test_what_is_no_name_is_none(text: str) -> None:
    assert DriftName.read(text) is None


def test_a_record_of_before_is_read() -> None:
    """As it was written before there were doers and natures."""
    store, whole = MemoryStore(), drift("w1", 1, 5)
    plain = msgspec.to_builtins(whole)
    for field in ("detail", "by", "nature", "hindrance", "attempts", "incident"):
        del plain[field]
    store.commit(put(whole.key, plain))

    assert newest_drift(store, ["w1"], 1) == (whole,)
