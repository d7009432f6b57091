"""Records to JSON and back, and what was read together with what to expect when it is replaced."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from saltern_master.store import Delete, Entry, Expect, Put, Store, StoreError, Write

PAGE = 1000

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What every record is."""


@dataclass(frozen=True, slots=True)
class Held(Generic[T]):
    """What stood under a key when it was read; `value` None and revision 0: nothing."""

    key: str
    value: T | None
    revision: int

    @property
    def expected(self) -> Expect:
        """Give the condition that it stands there still."""
        return Expect(self.key, self.revision)

    def replaced(self, value: T) -> tuple[Write, ...]:
        """Give the writes that put another value there, if nobody else did."""
        return self.expected, put(self.key, value)

    def deleted(self) -> tuple[Write, ...]:
        """Give the writes that take it away, if nobody else changed it."""
        return self.expected, Delete(self.key)


def put(key: str, value: object) -> Put:
    """Give the write of a record."""
    return Put(key, msgspec.json.encode(value))


def read(entry: Entry, kind: type[T]) -> T:
    """Read a record; StoreError names its key."""
    try:
        return msgspec.json.decode(entry.value, type=kind)
    except (ValueError, RecursionError) as error:
        raise StoreError(
            f"cannot read {entry.key} in the store: {error}; bring back the newest backup"
        ) from error


def hold(store: Store, key: str, kind: type[T]) -> Held[T]:
    """Read what stands under a key."""
    entry = store.get(key)
    if entry is None:
        return Held(key, None, 0)
    return Held(key, read(entry, kind), entry.revision)


def holds(store: Store, prefix: str, kind: type[T]) -> Iterator[Held[T]]:
    """Read all that stand under a prefix, in order of keys, a page at a time."""
    after = ""
    while page := store.list(prefix, after=after, most=PAGE):
        for entry in page:
            yield Held(entry.key, read(entry, kind), entry.revision)
        after = page[-1].key


def every(store: Store, prefix: str, kind: type[T]) -> tuple[T, ...]:
    """Give all the values under a prefix, in order of keys."""
    return tuple(held.value for held in holds(store, prefix, kind) if held.value is not None)


def numbered(number: int) -> str:
    """Give a number as a part of a key: 20 digits, so that text sorts as numbers do."""
    if not 0 <= number < 10**20:
        raise StoreError(f"cannot make a key of {number}: it has 1 to 20 digits")
    return f"{number:020d}"


def newest_number(store: Store, prefix: str) -> int:
    """Give the greatest number under a prefix of numbered keys; 0: there is none."""
    found = store.list(prefix, most=1, newest=True)
    return int(found[0].key.removeprefix(prefix)) if found else 0
