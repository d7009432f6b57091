"""The store, watched: once its disk fails an fsync, core ends rather than going on.

Whoever commits is told by the error, as by any store. But a desk that logs an error and takes the
next message is right about a full disk and wrong about one that forgets, so that ends the process:
what is started after it reads what the disk has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from saltern_master.store import Entry, LostError, Store, Write


class VigilantStore:
    """Another store; ended() raises what cannot be gone on after."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lost: LostError | None = None
        self._told = asyncio.Event()

    async def ended(self) -> None:
        """Wait until the store is lost, and raise the LostError."""
        await self._told.wait()
        if self._lost is not None:
            raise self._lost

    def get(self, key: str) -> Entry | None:
        """Give what stands under a key."""
        with self._watched():
            return self._store.get(key)

    def list(
        self, prefix: str, *, after: str = "", most: int = 1000, newest: bool = False
    ) -> tuple[Entry, ...]:
        """Give entries in order of keys."""
        with self._watched():
            return self._store.list(prefix, after=after, most=most, newest=newest)

    def commit(self, *writes: Write) -> int:
        """Do all of it or nothing."""
        with self._watched():
            return self._store.commit(*writes)

    def close(self) -> None:
        """Let go of it."""
        self._store.close()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except LostError as error:
            self._lost = error
            self._told.set()
            raise
