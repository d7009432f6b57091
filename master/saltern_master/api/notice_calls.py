"""From a request to a call of the service: notifications."""

from __future__ import annotations

from saltern_master.api.asked import Asked
from saltern_master.api.notices import Noticing, NotifyTest, NotifyView, TriedView


async def notifications(service: Noticing, asked: Asked) -> NotifyView:
    """Say who is told, and what there is to tell."""
    return await service.notifications()


async def test_notifications(service: Noticing, asked: Asked) -> tuple[TriedView, ...]:
    """Send a test."""
    body: NotifyTest = asked.body
    return await service.test_notifications(body.receiver)
