"""Rollouts of a master in memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

from saltern_master.api.rollouts import RolloutAsk, RolloutNode, RolloutView, Steering
from saltern_master.api.service import ServiceError


class FakeRollouts:
    """Drives rollouts."""

    async def start_rollout(self, ask: RolloutAsk) -> RolloutView:
        """Begin a rollout."""
        raise ServiceError("unavailable", "cannot roll out yet")

    async def rollouts(self, most: int) -> tuple[RolloutView, ...]:
        """List rollouts."""
        return ()

    async def rollout(self, number: int) -> RolloutView:
        """Give one."""
        raise ServiceError("not-found", f"cannot find rollout {number}")

    async def follow_rollout(self, number: int) -> AsyncIterator[RolloutNode | RolloutView]:
        """Follow one."""
        yield await self.rollout(number)

    async def steer_rollout(self, number: int, steering: Steering) -> RolloutView:
        """Steer one."""
        raise ServiceError("not-found", f"cannot find rollout {number}")
