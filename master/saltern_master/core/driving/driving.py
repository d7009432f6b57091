"""What people ask of rollouts: begin, list, follow, steer. The driver does the rest.

A rollout beside another is refused, or waits for its end with its file in the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from saltern_master.api.rollouts import RolloutAsk, RolloutNode, RolloutView, Steering
from saltern_master.api.service import ServiceError
from saltern_master.core.driving.driven import head_view, new_driven, view_of
from saltern_master.core.driving.driver import Driver
from saltern_master.core.driving.steering import Others, event_of, refuse_steering
from saltern_master.core.rolling import beside
from saltern_master.records import revisions
from saltern_master.records.rollouts import newest_heads, put_file
from saltern_master.rollouts.machine import steps
from saltern_master.rollouts.model import Rollout
from saltern_master.rollouts.strategy import faults

MOST_QUEUED: Final = 10


class Driving(Driver):
    """Drives rollouts, and answers for them."""

    async def start_rollout(self, ask: RolloutAsk) -> RolloutView:
        """Compile, plan and begin a rollout, or let it wait; ServiceError."""
        wrong = tuple(f"strategy: {one}" for one in faults(ask.strategy))
        if wrong:
            raise ServiceError("invalid", f"cannot begin a rollout: {_count(wrong)}", wrong)
        file = ask.file.encode() or revisions.revision_file(
            self._store, self._rolling.applied.revision
        )
        if not file:
            text = "cannot begin a rollout: nothing was applied yet; give a cluster file"
            raise ServiceError("conflict", text)
        if not self._held and self.book.going is None:
            return await self._start_now(ask, file)
        if not ask.queue:
            raise ServiceError("conflict", beside(self._rolling.rollout, "begin a rollout"))
        await self._rolling.compile(file)  # what is wrong with it is told to who asked
        return self._queue(ask, file)

    async def _start_now(self, ask: RolloutAsk, file: bytes) -> RolloutView:
        if ask.strategy.on_spent == "undo" and not self._rolling.applied.revision:
            text = "cannot begin a rollout that is undone by itself: nothing was applied before it"
            raise ServiceError("invalid", text)
        self._held = self.book.next_number
        self._reserve()
        try:
            driven = await self._begin(ask, file, None)
        finally:
            self._release()
        return view_of(driven, self._clock())

    def _queue(self, ask: RolloutAsk, file: bytes) -> RolloutView:
        if len(self.book.queued) >= MOST_QUEUED:
            raise ServiceError("conflict", f"cannot queue a rollout: {MOST_QUEUED} wait already")
        rollout = Rollout(
            number=self.book.next_number,
            revision=0,
            before=0,
            strategy=ask.strategy,
            began=self._clock(),
            nodes={},
            waves=0,
        )
        driven = new_driven(rollout, ask.by, (), ask.target).with_head(queued=True)
        self.book.write(driven, more=(put_file(rollout.number, file),))
        return view_of(driven, self._clock())

    async def rollouts(self, most: int) -> tuple[RolloutView, ...]:
        """List rollouts, the newest first."""
        return tuple(map(head_view, newest_heads(self._store, most)))

    async def rollout(self, number: int) -> RolloutView:
        """Give one; 0: the one that goes on, or the newest."""
        return view_of(self.book.read(number), self._clock())

    async def follow_rollout(self, number: int) -> AsyncIterator[RolloutNode | RolloutView]:
        """Give nodes and the head as they move; the whole when it is over."""
        async for one in self.book.followers.follow(self.book.read(number)):
            yield one

    async def steer_rollout(self, number: int, steering: Steering) -> RolloutView:
        """Pause, resume, abort, undo, or skip a node; ServiceError."""
        driven, now = self.book.read(number), self._clock()
        if driven.head.queued and steering.action == "abort":
            why = f"aborted by {steering.by or 'somebody'}"
            return view_of(self._end_queued(driven, why), now)
        self._take_all()  # what happened before comes first
        driven, now = self.book.read(driven.number), self._clock()
        refuse_steering(driven, steering, self._others())
        rollout = steps(driven.rollout, (event_of(steering),), now)
        if rollout is driven.rollout:
            text = f"cannot {steering.action} rollout {driven.number}: it is {driven.rollout.phase}"
            raise ServiceError("conflict", text)
        return view_of(self._become(driven, rollout, now), now)

    def _others(self) -> Others:
        newest, applied = self.book.newest_begun, self._rolling.applied.revision
        return Others(self._rolling.rollout, newest, applied)


def _count(faults: tuple[str, ...]) -> str:
    return f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
