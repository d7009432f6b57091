"""Who follows a turn or drift: each follower has a queue of its own, and none holds core up.

* A follower of a turn is told how nodes stand *now*: who reads slowly misses steps between,
  never the last one, and holds at most one entry for each node.
* A follower of drift is told everything or is told that it fell behind: drift is a record,
  so a gap is not passed over in silence.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable

from saltern_master.api.drifts import DriftAsk
from saltern_master.api.service import DriftView, ServiceError, TurnNode, TurnView
from saltern_master.core.turns import Turn, node_view, view_of

MOST_DRIFT = 1000


class TurnFollower:
    """One who follows one turn."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._news: dict[str, TurnNode] = {
            name: node_view(turn, name)
            for name, one in turn.nodes.items()
            if one.result != "waiting"
        }
        self._awake = asyncio.Event()

    def tell(self, turn: Turn, nodes: Iterable[str]) -> None:
        """Note how these nodes stand now."""
        self._turn = turn
        self._news.update({name: node_view(turn, name) for name in nodes})
        self._awake.set()

    async def news(self) -> AsyncIterator[TurnNode | TurnView]:
        """Give what is new until the turn has ended; then the whole."""
        while True:
            news, self._news = self._news, {}
            for one in news.values():
                yield one
            if self._turn.ended and not self._news:
                yield view_of(self._turn)
                return
            if not self._news:
                await self._awake.wait()
            self._awake.clear()


class DriftFollower:
    """One who follows drift, or some of it."""

    def __init__(self, ask: DriftAsk) -> None:
        self._ask = ask
        self._news: deque[DriftView] = deque()
        self._lost = False
        self._awake = asyncio.Event()

    def tell(self, drift: DriftView) -> None:
        """Note one more."""
        if not self._ask.means(drift):
            return
        if len(self._news) >= MOST_DRIFT:
            self._lost = True
        else:
            self._news.append(drift)
        self._awake.set()

    async def news(self) -> AsyncIterator[DriftView]:
        """Give drift as it comes; ServiceError once some had to be left out."""
        while True:
            while self._news:
                yield self._news.popleft()
            if self._lost:
                raise ServiceError(
                    "unavailable",
                    f"cannot follow drift any further: more than {MOST_DRIFT} entries waited to "
                    "be read; list what is stored, then follow again",
                )
            await self._awake.wait()
            self._awake.clear()


class Followers:
    """All who follow at the moment."""

    def __init__(self) -> None:
        self._turns: dict[int, set[TurnFollower]] = {}
        self._drift: set[DriftFollower] = set()

    def tell_turn(self, turn: Turn, nodes: Iterable[str]) -> None:
        """Some nodes stand otherwise."""
        changed = tuple(nodes)
        for follower in self._turns.get(turn.number, ()):
            follower.tell(turn, changed)

    def tell_drift(self, drift: DriftView) -> None:
        """Drift was stored, or it ended."""
        for follower in self._drift:
            follower.tell(drift)

    async def turn(self, turn: Turn) -> AsyncIterator[TurnNode | TurnView]:
        """Follow a turn from how it stands now."""
        follower = TurnFollower(turn)
        here = self._turns.setdefault(turn.number, set())
        here.add(follower)
        try:
            async for one in follower.news():
                yield one
        finally:
            here.discard(follower)
            if not here:
                self._turns.pop(turn.number, None)

    async def drift(self, ask: DriftAsk) -> AsyncIterator[DriftView]:
        """Follow drift from now on."""
        follower = DriftFollower(ask)
        self._drift.add(follower)
        try:
            async for one in follower.news():
                yield one
        finally:
            self._drift.discard(follower)
