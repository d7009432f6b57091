"""Plans that core asks nodes for."""

from __future__ import annotations

from collections.abc import AsyncIterator

from saltern_master.api.plans import Expected, NodePlan, PlanView
from saltern_master.api.service import ServiceError, TurnView


class Plans:
    """Asks nodes for plans."""

    async def plan(self, file: bytes, target: str) -> PlanView:
        """Begin to plan."""
        raise ServiceError("unavailable", "cannot plan yet")

    async def plan_so_far(self, number: int) -> PlanView:
        """Give a plan."""
        raise ServiceError("not-found", f"cannot find plan {number}")

    async def follow_plan(self, number: int) -> AsyncIterator[NodePlan | PlanView]:
        """Give each node's plan as it comes."""
        yield await self.plan_so_far(number)

    async def apply_planned(self, file: bytes, expects: dict[str, Expected]) -> TurnView:
        """Apply exactly what was planned."""
        raise ServiceError("unavailable", "cannot apply a plan yet")
