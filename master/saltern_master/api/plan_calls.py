"""From a request about a plan to a call of the master: one function per route."""

from __future__ import annotations

from collections.abc import AsyncIterator

from saltern_master.api.asked import Asked
from saltern_master.api.plan_requests import PlanEvent, Planned, PlanNodeEvent, PlanQuery
from saltern_master.api.plans import NodePlan, Planning, PlanView
from saltern_master.api.service import TurnView


async def plan(service: Planning, asked: Asked) -> PlanView:
    """Begin to plan a cluster file."""
    query: PlanQuery = asked.query
    return await service.plan(asked.body, query.target)


async def plan_so_far(service: Planning, asked: Asked) -> PlanView:
    """Give a plan."""
    return await service.plan_so_far(asked.place.number)


async def follow_plan(service: Planning, asked: Asked) -> AsyncIterator[PlanNodeEvent | PlanEvent]:
    """Follow a plan, if there is one."""
    await service.plan_so_far(asked.place.number)
    return _events(service.follow_plan(asked.place.number))


async def apply_planned(service: Planning, asked: Asked) -> TurnView:
    """Apply exactly what was planned."""
    body: Planned = asked.body
    return await service.apply_planned(body.file.encode(), body.expects)


async def _events(
    items: AsyncIterator[NodePlan | PlanView],
) -> AsyncIterator[PlanNodeEvent | PlanEvent]:
    async for item in items:
        yield PlanEvent(plan=item) if isinstance(item, PlanView) else PlanNodeEvent(node=item)
