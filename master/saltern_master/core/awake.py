"""Awake: a clock of the time in which core itself ran.

A master whose process was stopped, or whose machine slept, heard nobody meanwhile: what its nodes
said lies unread before it. So that time counts for nobody: those who are patient with nodes
(patience.py, plans.py, driving/) read this clock, which stood still as long as core did.

* heed() names who is told at once that core stood still, before whoever read the clock goes on.
* keep() reads it every TICK seconds. Where more than LATE went by between two readings, core did
  not run, and the clock goes on by TICK: whoever reads it first after such a time sees that.
* It never goes back, and never faster than the clock that it is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from saltern_master.core.front import Log

TICK: Final = 1.0
LATE: Final = 4.0


class Awake:
    """A clock in seconds; `monotonic`: what it is made of."""

    def __init__(self, monotonic: Callable[[], float], log: Log) -> None:
        self._monotonic, self._log = monotonic, log
        self._seen = self._now = monotonic()
        self._heeding: list[Callable[[], None]] = []

    def heed(self, told: Callable[[], None]) -> None:
        """Have something called when core stood still."""
        self._heeding.append(told)

    def __call__(self) -> float:
        """Give the time."""
        seen = self._monotonic()
        went_by, self._seen = seen - self._seen, seen
        self._now += TICK if went_by > LATE else went_by
        if went_by > LATE:
            self._log(f"this master stood still for {went_by:.0f} s: that counts for no node")
            for told in self._heeding:
                told()
        return self._now

    async def keep(self) -> None:
        """Read it, without end, so that standing still is told from running."""
        while True:
            self()
            await asyncio.sleep(TICK)
