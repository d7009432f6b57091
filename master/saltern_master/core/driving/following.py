"""Who follows a rollout: how its nodes and its head stand now; none holds core up.

Who reads slowly misses steps between, never the last one, and holds one entry for each node.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable

from saltern_master.api.rollouts import RolloutNode, RolloutView
from saltern_master.core.driving.driven import Driven, head_view, node_view, view_of
from saltern_master.rollouts.model import OVER
from saltern_master.rollouts.telling import waits_for

Clock = Callable[[], float]


class RolloutFollower:
    """One who follows one rollout."""

    def __init__(self, driven: Driven, clock: Clock) -> None:
        self._driven, self._clock = driven, clock
        nodes = driven.rollout.nodes
        self._news = dict.fromkeys(name for name, one in nodes.items() if one.stage != "waiting")
        self._awake = asyncio.Event()
        self._awake.set()

    def tell(self, driven: Driven, nodes: Iterable[str]) -> None:
        """Note how it stands now, and who moved."""
        self._driven = driven
        self._news |= dict.fromkeys(nodes)
        self._awake.set()

    async def news(self) -> AsyncIterator[RolloutNode | RolloutView]:
        """Give what is new until the rollout is over; then the whole."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            driven, news, self._news = self._driven, self._news, {}
            for name in news:
                yield node_view(driven, name)
            now = self._clock()
            if driven.rollout.phase in OVER and not driven.head.queued:
                yield view_of(driven, now)
                return
            waits = "" if driven.head.queued else waits_for(driven.rollout, now)
            yield head_view(driven.head, waits)


class RolloutFollowers:
    """All who follow a rollout at the moment."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._here: dict[int, set[RolloutFollower]] = {}

    def tell(self, driven: Driven, nodes: Iterable[str]) -> None:
        """A rollout is another one now."""
        here = self._here.get(driven.number)
        if here:
            changed = tuple(nodes)
            for follower in here:
                follower.tell(driven, changed)

    async def follow(self, driven: Driven) -> AsyncIterator[RolloutNode | RolloutView]:
        """Follow a rollout from how it stands now."""
        follower = RolloutFollower(driven, self._clock)
        here = self._here.setdefault(driven.number, set())
        here.add(follower)
        try:
            async for one in follower.news():
                yield one
        finally:
            here.discard(follower)
            if not here and self._here.get(driven.number) is here:
                del self._here[driven.number]
