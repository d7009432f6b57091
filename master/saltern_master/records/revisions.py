"""What was applied: cluster files by number, the ranges of pod addresses, which one is applied.

A rollout writes its revision before anybody has it, so the newest is not always the applied one.

The newest KEPT revisions are kept, each with its file: outlived() gives the deletions of others.
Nothing asks for one older than the applied: what nodes shall be is in their documents, and what is
rolled out again when a node comes or goes is the applied one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from saltern_master.compile.allocation import Allocation
from saltern_master.records.codec import Held, Record, hold, newest_number, numbered, put
from saltern_master.store import Delete, Put, Store, Write

PREFIX = "revisions/"
FILES = "revision-files/"
KEPT: Final = 100
AT_ONCE: Final = 10  # a file has up to 1 MiB, and is read to be listed
ALLOCATION = "allocation"
APPLIED = "applied"
PINNED = "pinned"


class Revision(Record, frozen=True):
    """One applied cluster file; its bytes stand apart, under revision-files/."""

    number: int
    at: float
    file: str  # SHA-256 of the bytes
    bodies: dict[str, str]  # each node's, 64 digits
    notes: tuple[str, ...] = ()


class AppliedRevision(Record, frozen=True):
    """Which revision is applied, or was before a rollout that goes on."""

    number: int


class Pinned(Record, frozen=True):
    """Nodes that keep what they have: a rollout ended, and left them at another revision."""

    at: float
    rollout: int
    revision: int  # that the others have
    nodes: tuple[str, ...]


def revision_key(number: int) -> str:
    """Where a revision stands."""
    return PREFIX + numbered(number)


def file_key(number: int) -> str:
    """Where its cluster file stands."""
    return FILES + numbered(number)


def newest_revision(store: Store) -> int:
    """Give the number of the revision that was written last; 0: none."""
    return newest_number(store, PREFIX)


def applied_revision(store: Store) -> int:
    """Give the number of the one that is applied; 0: none."""
    held = hold(store, APPLIED, AppliedRevision).value
    return held.number if held is not None else newest_revision(store)


def put_applied(number: int) -> Put:
    """Give the write that makes a revision the applied one."""
    return put(APPLIED, AppliedRevision(number=number))


def read_pinned(store: Store) -> Pinned | None:
    """Give who keeps another revision than the applied one; None: nobody."""
    return hold(store, PINNED, Pinned).value


def put_pinned(pinned: Pinned | None) -> Write:
    """Give the write of who does from now on."""
    return put(PINNED, pinned) if pinned is not None else Delete(PINNED)


def hold_revision(store: Store, number: int) -> Held[Revision]:
    """Read a revision."""
    return hold(store, revision_key(number), Revision)


def revision_file(store: Store, number: int) -> bytes | None:
    """Give the bytes of a revision's cluster file."""
    entry = store.get(file_key(number))
    return entry.value if entry is not None else None


def add_revision(revision: Revision, file: bytes) -> tuple[Write, ...]:
    """Give the writes of a new revision; a conflict where its number is taken."""
    held: Held[Revision] = Held(revision_key(revision.number), None, 0)
    return *held.replaced(revision), Put(file_key(revision.number), file)


def outlived(store: Store, newest: int) -> tuple[int, ...]:
    """Give the numbers of the oldest revisions that are too many once `newest` is there."""
    oldest = store.list(FILES, most=AT_ONCE)
    numbers = (int(entry.key.removeprefix(FILES)) for entry in oldest)
    return tuple(number for number in numbers if number <= newest - KEPT)


def dropped(numbers: Iterable[int]) -> tuple[Write, ...]:
    """Give the writes that take revisions away."""
    return tuple(Delete(key(number)) for number in numbers for key in (revision_key, file_key))


def hold_allocation(store: Store) -> Held[Allocation]:
    """Read which range of pod addresses each node has."""
    return hold(store, ALLOCATION, Allocation)


def put_allocation(held: Held[Allocation], allocation: Allocation) -> tuple[Write, ...]:
    """Give the writes that record the ranges: none where nothing changed."""
    before = held.value or Allocation()
    return () if before == allocation else (held.expected, put(ALLOCATION, allocation))
