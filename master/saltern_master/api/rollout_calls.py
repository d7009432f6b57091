"""From a request about rollouts to a call of the service: one function per route."""

from __future__ import annotations

from collections.abc import AsyncIterator

from saltern_master.api.asked import Asked
from saltern_master.api.master import Master
from saltern_master.api.rollout_requests import RolloutEvent, RolloutNodeEvent, RolloutsQuery
from saltern_master.api.rollouts import RolloutNode, RolloutView


async def start_rollout(master: Master, asked: Asked) -> RolloutView:
    """Begin a rollout."""
    return await master.start_rollout(asked.body)


async def rollouts(master: Master, asked: Asked) -> tuple[RolloutView, ...]:
    """List rollouts."""
    query: RolloutsQuery = asked.query
    return await master.rollouts(query.most)


async def rollout(master: Master, asked: Asked) -> RolloutView:
    """Give a rollout."""
    return await master.rollout(asked.place.number)


async def follow_rollout(
    master: Master, asked: Asked
) -> AsyncIterator[RolloutNodeEvent | RolloutEvent]:
    """Follow a rollout; 0 is the one that is meant now, also when the next one has begun."""
    number = asked.place.number or (await master.rollout(0)).rollout
    await master.rollout(number)
    return _events(master.follow_rollout(number))


async def steer_rollout(master: Master, asked: Asked) -> RolloutView:
    """Pause, resume, abort, undo, or skip a node."""
    number = asked.place.number or (await master.rollout(0)).rollout
    return await master.steer_rollout(number, asked.body)


async def _events(
    items: AsyncIterator[RolloutNode | RolloutView],
) -> AsyncIterator[RolloutNodeEvent | RolloutEvent]:
    async for item in items:
        if isinstance(item, RolloutView):
            yield RolloutEvent(rollout=item)
        else:
            yield RolloutNodeEvent(node=item)
