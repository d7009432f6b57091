"""The contract of every store: what it keeps, and how it is changed.

Laws, and tests/contracts/test_store.py holds each store to them:

* A commit is all or nothing, and it is durable when it returns. What failed left no trace.
* Every Expect is compared with what stood there before the commit; the first that does not hold
  is a ConflictError that names its key. Nobody waits for another's decision: read again, decide
  again, commit again.
* The store's revision rises by one with each commit that writes; an entry has the revision of the
  commit that put it. No revision comes twice, so an Expect is not deceived by a key that went and
  came back.
* A disk that does not say that it has what was written is a LostError, and so is every use after
  it: what is on it is unknown then, and a second try that succeeds would say nothing (Linux drops
  what it could not write: https://lwn.net/Articles/752063/). Open the store anew: what is read
  there is what there is.
* A key is written at most once in a commit. To delete what is not there is no fault.
* Keys are listed in the order of their UTF-8 bytes. A prefix is plain text: no letter in it is
  special.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from saltern_master.errors import MasterError

MAX_KEY_BYTES: Final = 1024
MAX_VALUE_BYTES: Final = 1024 * 1024
"""Larger things are blobs: the store keeps their hashes."""


class StoreError(MasterError):
    """The store cannot be read or written; the text says what to do."""


class LostError(StoreError):
    """Nobody knows whether the disk has what was written: nothing more may be promised."""


class ConflictError(StoreError):
    """Somebody else changed `key` since it was read. Nothing was written."""

    def __init__(self, key: str, expected: int, found: int) -> None:
        super().__init__(
            f"cannot commit: {key} has revision {found}, expected {expected} (0: it is not there); "
            "somebody else was faster, so read it again"
        )
        self.key = key


class Entry(msgspec.Struct, frozen=True):
    """What stands under a key, and the revision of the commit that put it there."""

    key: str
    value: bytes
    revision: int


class Put(msgspec.Struct, frozen=True):
    """Let this stand under the key, whatever stood there."""

    key: str
    value: bytes


class Delete(msgspec.Struct, frozen=True):
    """Let nothing stand under the key."""

    key: str


class Expect(msgspec.Struct, frozen=True):
    """Commit only if the key's entry has this revision still; 0: only if there is none."""

    key: str
    revision: int


Write = Put | Delete | Expect


class Store(Protocol):
    """Keys and values. One thread uses one Store. Every method: StoreError."""

    def get(self, key: str) -> Entry | None:
        """Give what stands under a key, or None."""
        ...

    def list(
        self, prefix: str, *, after: str = "", most: int = 1000, newest: bool = False
    ) -> tuple[Entry, ...]:
        """Give the entries whose keys begin so, in order of keys, the last key first if `newest`.

        `after` goes on behind the last key of an earlier answer, in either order.
        """
        ...

    def commit(self, *writes: Write) -> int:
        """Do all of it or nothing, durably; give the store's revision. ConflictError."""
        ...

    def close(self) -> None:
        """Let go of it; every use after that is a StoreError."""
        ...


def check_writes(writes: Sequence[Write]) -> None:
    """Refuse what no store takes: a key written twice, or a key or a value out of bounds."""
    written: set[str] = set()
    for one in writes:
        key_bytes(one.key)
        if isinstance(one, Put) and len(one.value) > MAX_VALUE_BYTES:
            raise StoreError(
                f"cannot keep {len(one.value)} bytes as {one.key}: the limit is {MAX_VALUE_BYTES}"
            )
        if isinstance(one, Expect):
            continue
        if one.key in written:
            raise StoreError(f"cannot commit: {one.key} is written twice in one commit")
        written.add(one.key)


def key_bytes(key: str) -> bytes:
    """Give a key as it is compared; StoreError for what no key can be."""
    try:
        data = key.encode()
    except UnicodeEncodeError as error:
        raise StoreError(f"cannot use the key {key!r}: it is no text") from error
    if not 0 < len(data) <= MAX_KEY_BYTES:
        raise StoreError(
            f"cannot use a key of {len(data)} bytes: it has 1 to {MAX_KEY_BYTES}: {key[:80]!r}"
        )
    return data
