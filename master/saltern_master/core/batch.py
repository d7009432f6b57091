"""Writes that belong together: gathered while messages are handled, committed as one.

The later write to a key takes the place of the earlier one; what a key was expected to be is
kept. So a hundred messages that came together cost one flush of the disk.
"""

from __future__ import annotations

from collections.abc import Iterable

from saltern_master.store import Delete, Expect, Put, Store, Write


class Batch:
    """One commit in the making."""

    def __init__(self) -> None:
        self._changes: dict[str, Put | Delete] = {}
        self._expected: dict[str, Expect] = {}

    def add(self, writes: Iterable[Write]) -> None:
        """Take more writes."""
        for one in writes:
            if isinstance(one, Expect):
                self._expected.setdefault(one.key, one)
            else:
                self._changes[one.key] = one

    @property
    def changes(self) -> Iterable[Write]:
        """What it would write."""
        return self._changes.values()

    def commit(self, store: Store) -> int:
        """Write all of it, durably, and give the revision; 0 where there is nothing. StoreError."""
        if not self._changes:
            return 0
        return store.commit(*self._expected.values(), *self._changes.values())
