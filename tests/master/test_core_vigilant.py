"""A store whose disk failed an fsync ends core; one that is merely full does not."""

from __future__ import annotations

import asyncio

import pytest
from saltern_master.core.vigilant import VigilantStore
from saltern_master.store import LostError, MemoryStore, Put, StoreError, Write


class Failing(MemoryStore):
    """A store that fails with what it is given."""

    error: StoreError | None = None

    def commit(self, *writes: Write) -> int:
        """Fail, or write."""
        if self.error is not None:
            raise self.error
        return super().commit(*writes)


def ended(error: StoreError) -> bool:
    """Let a commit fail so; tell whether the store says that core has to end."""

    async def whole() -> bool:
        inner = Failing()
        store = VigilantStore(inner)
        store.commit(Put("a", b"1"))
        waiting = asyncio.create_task(store.ended())
        await asyncio.sleep(0)
        assert not waiting.done()
        inner.error = error
        with pytest.raises(type(error)):
            store.commit(Put("a", b"2"))
        inner.error = None
        entry = store.get("a")
        assert entry is not None
        assert (entry.value, [one.key for one in store.list("")]) == (b"1", ["a"])
        done, _ = await asyncio.wait({waiting}, timeout=0.05)
        waiting.cancel()
        return bool(done) and isinstance(waiting.exception(), LostError)

    return asyncio.run(whole())


def test_a_lost_disk_ends_core() -> None:
    assert ended(LostError("cannot write: its disk does not say"))


def test_a_full_disk_does_not() -> None:
    assert not ended(StoreError("cannot write: the disk is full"))
