"""What was told to whom: a core that is started again tells nothing anew and loses nothing.

    notify/mark               the newest notice's number, and up to when what happened was told
    notify/held/HASH          a trouble that is remembered, by the hash of its name
    notify/out/RECEIVER/N     a notice that a receiver has not taken yet

What is decided at one moment is one commit: a notice waits for its receivers, or was not decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from typing import Final

from saltern_master.notify.model import Held, Memory, Name, Notice
from saltern_master.records.codec import Record, every, hold, holds, numbered, put
from saltern_master.store import Delete, Store, Write

MARK: Final = "notify/mark"
HELD: Final = "notify/held/"
OUT: Final = "notify/out/"


class Mark(Record, frozen=True):
    """What of Memory is no trouble."""

    number: int = 0
    until: float = 0.0


def read_memory(store: Store) -> Memory:
    """Read what is remembered. StoreError."""
    mark = hold(store, MARK, Mark).value or Mark()
    held = {one.trouble.name: one for one in every(store, HELD, Held)}
    return Memory(held=held, number=mark.number, until=mark.until)


def read_waiting(store: Store) -> Mapping[str, tuple[Notice, ...]]:
    """Read what waits, by receiver, the oldest first. StoreError."""
    found: dict[str, tuple[Notice, ...]] = {}
    for one in holds(store, OUT, Notice):
        name = one.key.removeprefix(OUT).partition("/")[0]
        if one.value is not None:
            found[name] = (*found.get(name, ()), one.value)
    return found


def memory_writes(before: Memory, after: Memory) -> Iterator[Write]:
    """Give the writes of what is remembered otherwise."""
    if (before.number, before.until) != (after.number, after.until):
        yield put(MARK, Mark(number=after.number, until=after.until))
    for name, one in after.held.items():
        if before.held.get(name) != one:
            yield put(held_key(name), one)
    for name in before.held.keys() - after.held.keys():
        yield Delete(held_key(name))


def held_key(name: Name) -> str:
    """Where a trouble stands: names of nodes' resources may be of any form."""
    return HELD + sha256("\0".join(name).encode()).hexdigest()


def put_waiting(receiver: str, notice: Notice) -> Write:
    """Give the write of a notice that a receiver has to take."""
    return put(_out(receiver, notice.number), notice)


def taken(receiver: str, numbers: Iterable[int]) -> tuple[Write, ...]:
    """Give the writes of what a receiver took, or what is given up."""
    return tuple(Delete(_out(receiver, number)) for number in numbers)


def _out(receiver: str, number: int) -> str:
    return f"{OUT}{receiver}/{numbered(number)}"
