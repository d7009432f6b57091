"""HOME's store, and what it knows of nodes that are about to be compiled and signed for.

* A home of the release before the store had JSON files in its place. They are taken over once,
  when the store is opened: in one commit, and only then are they removed.
* Facts that a person put in facts/NODE.json stand above those that a node told when it joined;
  signing pins them in the store.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from saltern_master.compile.allocation import Allocation
from saltern_master.compile.facts import Facts, read_facts
from saltern_master.records.codec import Record, put
from saltern_master.records.nodes import Node, hold_node, node_key
from saltern_master.records.revisions import ALLOCATION, hold_allocation
from saltern_master.signing.home import Home
from saltern_master.signing.key_file import HomeError
from saltern_master.store import ConflictError, Expect, MemoryStore, SqliteStore, Store, Write

T = TypeVar("T")


class Earlier(Record, frozen=True):
    """nodes/NODE.json, as it was before the store."""

    incarnation: str
    version: int = 0
    document: str = ""


@contextmanager
def open_store(home: Home) -> Iterator[Store]:
    """Give HOME's store, and close it. HomeError where HOME is none; StoreError."""
    if not home.is_made:
        raise HomeError(f"cannot use {home.path}: it has no keys; run: saltern init {home.path}")
    store = SqliteStore(home.store_file)
    try:
        _take_over(home, store)
        yield store
    finally:
        store.close()


@contextmanager
def read_recorded(home: Home) -> Iterator[Store]:
    """The same for those who only read: where HOME is none yet, an empty store."""
    if home.is_made:
        with open_store(home) as store:
            yield store
    else:
        yield MemoryStore()


def known_facts(home: Home, store: Store, names: Iterable[str]) -> dict[str, Facts]:
    """Give the facts of these nodes, where any were brought or told. FactsError."""
    facts: dict[str, Facts] = {}
    for name in names:
        node = hold_node(store, name).value
        plain = brought_facts(home, name) or (node.facts if node is not None else {})
        if plain:
            facts[name] = read_facts(msgspec.json.encode(plain), f"the facts of {name}")
    return facts


def recorded_allocation(store: Store) -> Allocation:
    """Give the recorded ranges; none where nothing was signed yet."""
    return hold_allocation(store).value or Allocation()


def brought_facts(home: Home, node: str) -> Mapping[str, object]:
    """Give what a person put in facts/NODE.json, {} where there is none. FactsError names it."""
    path = home.facts_file(node)
    if not path.is_file():
        return {}
    data = path.read_bytes()
    read_facts(data, str(path))
    plain: Mapping[str, object] = msgspec.json.decode(data)
    return plain


def _take_over(home: Home, store: Store) -> None:
    """Take the JSON files of the earlier release into the store, once."""
    nodes = sorted((home.path / "nodes").glob("*.json"))
    ranges = home.path / "allocation.json"
    writes: list[Write] = []
    for path in nodes:
        earlier = _decoded(path, Earlier)
        node = Node(
            name=path.stem,
            node_class="",  # the cluster file says it, at the next signing
            state="offline",
            incarnation=earlier.incarnation,
            version=earlier.version,
            document=earlier.document,
        )
        writes += [Expect(node_key(node.name), 0), put(node_key(node.name), node)]
    if writes or ranges.exists():
        home.path.chmod(0o711)
    if ranges.exists():
        allocation = _decoded(ranges, Allocation)
        writes += [Expect(ALLOCATION, 0), put(ALLOCATION, allocation)]
    with suppress(ConflictError):  # they are in the store, and were merely not removed yet
        store.commit(*writes)
    for path in (*nodes, ranges):
        path.unlink(missing_ok=True)


def _decoded(path: Path, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (OSError, ValueError) as error:
        raise HomeError(f"cannot read {path}: {error}; restore it from a backup") from error
