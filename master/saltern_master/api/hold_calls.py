"""From a request about holds to a call of the service: one function per route."""

from __future__ import annotations

from saltern_master.api.asked import Asked
from saltern_master.api.holds import HoldsView, HoldView
from saltern_master.api.master import Master


async def hold(master: Master, asked: Asked) -> tuple[HoldView, ...]:
    """Hold nodes."""
    return await master.hold(asked.body)


async def release(master: Master, asked: Asked) -> tuple[HoldView, ...]:
    """Hold nodes no longer."""
    return await master.release(asked.query)


async def holds(master: Master, asked: Asked) -> HoldsView:
    """List holds and windows."""
    return await master.holds()
