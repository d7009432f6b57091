"""The store in memory: for tests, and the plainest reading of the contract.

Durability is the life of a Memory: stores that are opened on one Memory see one another's
commits, as two connections to one file do.
"""

from __future__ import annotations

from saltern_master.store.contract import (
    ConflictError,
    Entry,
    Expect,
    Put,
    StoreError,
    Write,
    check_writes,
    key_bytes,
)


class Memory:
    """What the stores that are opened on it have in common."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.revision = 0


class MemoryStore:
    """A Store that forgets with its Memory."""

    def __init__(self, memory: Memory | None = None) -> None:
        self._memory: Memory | None = memory or Memory()

    def get(self, key: str) -> Entry | None:
        """Give what stands under a key."""
        key_bytes(key)
        return self._opened().entries.get(key)

    def list(
        self, prefix: str, *, after: str = "", most: int = 1000, newest: bool = False
    ) -> tuple[Entry, ...]:
        """Give entries in order of keys; text compares as its UTF-8 does."""
        entries = self._opened().entries
        keys = sorted((key for key in entries if key.startswith(prefix)), reverse=newest)
        if after:
            keys = [key for key in keys if (key < after if newest else key > after)]
        return tuple(entries[key] for key in keys[:most])

    def commit(self, *writes: Write) -> int:
        """Check everything, then do everything."""
        memory = self._opened()
        check_writes(writes)
        for one in writes:
            if isinstance(one, Expect):
                entry = memory.entries.get(one.key)
                found = entry.revision if entry is not None else 0
                if found != one.revision:
                    raise ConflictError(one.key, one.revision, found)
        changes = [one for one in writes if not isinstance(one, Expect)]
        if changes:
            memory.revision += 1
        for change in changes:
            if isinstance(change, Put):
                entry = Entry(change.key, change.value, memory.revision)
                memory.entries[change.key] = entry
            else:
                memory.entries.pop(change.key, None)
        return memory.revision

    def close(self) -> None:
        """Let go of the Memory."""
        self._memory = None

    def _opened(self) -> Memory:
        if self._memory is None:
            raise StoreError("cannot use this store: it was closed")
        return self._memory
