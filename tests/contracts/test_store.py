"""The store: in memory and in a file of SQLite. What only a file has is in test_store_file.py."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from saltern_master.store import (
    ConflictError,
    Delete,
    Entry,
    Expect,
    Memory,
    MemoryStore,
    Put,
    SqliteStore,
    Store,
    StoreError,
    Write,
)
from saltern_master.store.contract import MAX_KEY_BYTES, MAX_VALUE_BYTES

Opening = Callable[[], Store]


@pytest.fixture(params=["memory", "sqlite"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    """Give what opens the same store anew, each time by a connection of its own."""
    memory = Memory()

    def opened() -> Store:
        one: Store = (
            MemoryStore(memory) if request.param == "memory" else SqliteStore(tmp_path / "store.db")
        )
        request.addfinalizer(one.close)
        return one

    return opened


@pytest.fixture
def store(opening: Opening) -> Store:
    return opening()


def keys(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.key for entry in entries]


def filled(store: Store, *names: str) -> None:
    store.commit(*(Put(name, name.encode()) for name in names))


def test_what_was_put_is_there_with_its_revision(store: Store) -> None:
    assert store.get("a") is None

    first = store.commit(Put("a", b"1"), Put("b", b""))
    second = store.commit(Put("a", b"\x00\xff"))

    assert second > first > 0
    assert store.get("a") == Entry("a", b"\x00\xff", second)
    assert store.get("b") == Entry("b", b"", first)


def test_a_commit_that_writes_nothing_has_no_revision_of_its_own(store: Store) -> None:
    revision = store.commit(Put("a", b"1"))

    assert store.commit() == revision
    assert store.commit(Expect("a", revision), Expect("b", 0)) == revision
    assert store.commit(Delete("b")) == revision + 1


def test_a_conflict_names_its_key_and_leaves_no_trace(store: Store) -> None:
    revision = store.commit(Put("a", b"1"), Put("b", b"2"))
    before = store.list("")

    with pytest.raises(ConflictError, match="cannot commit: b has revision") as caught:
        store.commit(Put("c", b"3"), Delete("a"), Expect("a", revision), Expect("b", 0))

    assert caught.value.key == "b"
    assert store.list("") == before
    assert store.commit() == revision


def test_an_expectation_is_of_what_stood_there_before_the_commit(store: Store) -> None:
    revision = store.commit(Put("a", b"1"), Expect("a", 0))
    store.commit(Put("a", b"2"), Expect("a", revision))

    entry = store.get("a")
    assert entry is not None
    assert entry.value == b"2"


def test_a_key_that_went_and_came_back_is_another(store: Store) -> None:
    revision = store.commit(Put("a", b"1"))
    store.commit(Delete("a"))
    with pytest.raises(ConflictError):
        store.commit(Expect("a", revision), Put("b", b""))
    store.commit(Put("a", b"1"), Expect("a", 0))

    with pytest.raises(ConflictError):
        store.commit(Expect("a", revision), Put("b", b""))


def test_entries_are_listed_in_order_from_either_end(store: Store) -> None:
    filled(store, "x/3", "x/1", "x/20", "x/2", "y/0", "w")

    assert keys(store.list("x/")) == ["x/1", "x/2", "x/20", "x/3"]
    assert keys(store.list("x/", newest=True)) == ["x/3", "x/20", "x/2", "x/1"]
    assert keys(store.list("x/", most=2)) == ["x/1", "x/2"]
    assert keys(store.list("x/", most=2, newest=True)) == ["x/3", "x/20"]
    assert keys(store.list("x/", after="x/2")) == ["x/20", "x/3"]
    assert keys(store.list("x/", after="x/20", newest=True)) == ["x/2", "x/1"]
    assert keys(store.list("x/", after="x/15")) == ["x/2", "x/20", "x/3"]
    assert keys(store.list("x/", after="z")) == []
    assert keys(store.list("", most=1)) == ["w"]
    assert store.list("x/", most=0) == ()
    assert store.list("nothing") == ()


ODD = ("%/a", "%", "_/a", "a/b", "*/a", "[a]/b", "'", "ä/1", "ä", "z/ü", "\U0001f984/1", "\x00/1")


@pytest.mark.parametrize("prefix", ["", "%", "_", "_/", "*", "[a]/", "'", "ä", "ä/", "z/", "\x00"])
def test_no_letter_of_a_prefix_is_special(store: Store, prefix: str) -> None:
    filled(store, *ODD)

    expected = sorted(key for key in ODD if key.startswith(prefix))

    assert keys(store.list(prefix)) == expected
    assert keys(store.list(prefix, newest=True)) == expected[::-1]


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param((Put("", b""),), id="no key"),
        pytest.param((Put("a", b"1"), Put("a", b"2")), id="put twice"),
        pytest.param((Put("a", b"1"), Delete("a")), id="put and deleted"),
        pytest.param((Put("k" * (MAX_KEY_BYTES + 1), b""),), id="a long key"),
        pytest.param((Put("\ud800", b""),), id="a key that is no text"),
        pytest.param((Put("b", b"v" * (MAX_VALUE_BYTES + 1)),), id="a large value"),
    ],
)
def test_what_no_store_takes_is_refused_whole(store: Store, writes: tuple[Write, ...]) -> None:
    with pytest.raises(StoreError, match=r"^cannot "):
        store.commit(Put("good", b""), *writes)

    assert store.list("") == ()


def test_the_largest_that_is_taken_comes_back(store: Store) -> None:
    key, value = "k" * MAX_KEY_BYTES, b"v" * MAX_VALUE_BYTES
    revision = store.commit(Put(key, value))

    assert store.get(key) == Entry(key, value, revision)


def test_two_connections_see_each_other_and_one_of_them_loses(opening: Opening) -> None:
    here, there = opening(), opening()
    revision = here.commit(Put("a", b"1"))
    assert there.get("a") == Entry("a", b"1", revision)

    there.commit(Put("a", b"there"), Expect("a", revision))
    with pytest.raises(ConflictError):
        here.commit(Put("a", b"here"), Expect("a", revision))

    entry = here.get("a")
    assert entry is not None
    assert entry.value == b"there"


def test_what_was_committed_is_there_when_it_is_opened_again(opening: Opening) -> None:
    first = opening()
    revision = first.commit(Put("a", b"1"))
    first.close()
    with pytest.raises(StoreError, match="closed"):
        first.get("a")
    with pytest.raises(StoreError, match="closed"):
        first.commit(Put("b", b""))

    second = opening()

    assert second.get("a") == Entry("a", b"1", revision)
    assert second.commit(Put("b", b"")) == revision + 1


NAMES = st.sampled_from(["a", "a/1", "a/2", "b", "ä/1"])
CHANGES = st.lists(
    st.one_of(
        st.builds(Put, NAMES, st.binary(max_size=3)),
        st.builds(Delete, NAMES),
        st.builds(Expect, NAMES, st.integers(0, 4)),
    ),
    max_size=4,
)


def committed(store: Store, writes: list[Write]) -> object:
    """Give what a commit gave, or what was said against it."""
    try:
        return store.commit(*writes)
    except StoreError as error:
        return str(error)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(CHANGES, max_size=8))
def test_the_file_says_what_memory_says(
    tmp_path_factory: pytest.TempPathFactory, history: list[list[Write]]
) -> None:
    memory = MemoryStore()
    file = SqliteStore(tmp_path_factory.mktemp("store") / "store.db")

    told = [(committed(memory, writes), committed(file, writes)) for writes in history]
    stands = (memory.list(""), file.list(""))
    file.close()

    assert [pair[0] for pair in told] == [pair[1] for pair in told]
    assert stands[0] == stands[1]
