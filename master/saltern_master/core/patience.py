"""Patience: the clock of turns. It ends what a node did not, and sleeps until the next is due.

Turns are told, and kept, by the wall clock. It may be set while they go on, and core may stand
still: by how much it went on apart from the clock of core's own running (awake.py) counts for
nobody's patience.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from saltern_master.core.desk import Deed, Desk
from saltern_master.core.front import Log
from saltern_master.core.known import Known
from saltern_master.core.turns import Limits, next_due, pass_time
from saltern_master.store import StoreError

SHORTEST: Final = 0.05
LONGEST: Final = 5.0
SET: Final = 2.0
"""Seconds between what both clocks say went by, from which on the wall clock was set."""


class Patience:
    """Lets time pass for all turns."""

    def __init__(
        self,
        known: Known,
        desk: Desk,
        limits: Limits,
        clock: Callable[[], float],
        log: Log,
        running: Callable[[], float],
    ) -> None:
        self._known, self._desk, self._limits = known, desk, limits
        self._clock, self._log, self._running = clock, log, running
        self._seen = clock(), running()
        self._stirred = asyncio.Event()

    def stir(self) -> None:
        """Something moved: look again what is due."""
        self._stirred.set()

    def notice(self) -> None:
        """The clock may have jumped: see to that now, before anybody asks who is gone how long."""
        self._now()

    async def watch(self) -> None:
        """End what is due, without end."""
        while True:
            self._stirred.clear()
            try:
                self.pass_time()
            except StoreError as error:
                self._log(f"turns stand still: {error}")
            pause = self._pause()
            try:
                async with asyncio.timeout(pause):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    def pass_time(self) -> None:
        """End what is due now. StoreError: nothing was ended."""
        now = self._now()
        deed, snapshot = Deed(), self._known.snapshot()
        for turn in tuple(self._known.turns.values()):
            after = pass_time(turn, self._known.gone, now, self._limits)
            if after is not turn:
                changed = [name for name in after.nodes if after.nodes[name] != turn.nodes[name]]
                self._known.put_turn(after, changed)
                deed.add_turn(after, changed)
        try:
            self._desk.finish(deed)
        except StoreError:
            self._known.restore(snapshot)
            raise

    def _now(self) -> float:
        """Read the clock; where it jumped, nobody has been waited for any longer for that."""
        now, runs = self._clock(), self._running()  # which may tell us first: see notice()
        (wall, ran), self._seen = self._seen, (now, runs)
        set_by = (now - wall) - (runs - ran)
        if abs(set_by) > SET:
            self._known.reset_clock(max(set_by, 0.0), now)
            text = f"the clock was set by {set_by:+.0f} s, or this master stood still for so long"
            self._log(f"{text}: what is waited for is, as before")
        return now

    def _pause(self) -> float | None:
        due = [next_due(one, self._known.gone, self._limits) for one in self._known.turns.values()]
        soonest = min((one for one in due if one is not None), default=None)
        if soonest is None:
            return None
        return min(max(soonest - self._clock(), SHORTEST), LONGEST)
