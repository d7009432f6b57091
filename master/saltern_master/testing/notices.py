"""Notifications of a master in memory: nobody is told, and a lever says who would be."""

from __future__ import annotations

from saltern_master.api.notices import NotifyView, ReceiverView, TriedView, TroubleView
from saltern_master.api.service import ServiceError


class FakeNotices:
    """Knows receivers. A part of FakeService."""

    def __init__(self) -> None:
        self.receivers: dict[str, ReceiverView] = {}
        self.troubles: tuple[TroubleView, ...] = ()
        self.settled = 0.0

    async def notifications(self) -> NotifyView:
        """Give who is told, and what there is to tell."""
        return NotifyView(
            settings="notify.yaml",
            faults="",
            receivers=tuple(self.receivers.values()),
            troubles=self.troubles,
            settled=self.settled,
        )

    async def test_notifications(self, receiver: str) -> tuple[TriedView, ...]:
        """Give what a test would bring: who is failing fails."""
        chosen = [one for name, one in self.receivers.items() if receiver in ("", name)]
        if not chosen:
            what = f"the receiver {receiver}" if receiver else "a receiver"
            text = f"cannot find {what} in notify.yaml; see: saltern notify list"
            raise ServiceError("not-found", text)
        return tuple(
            TriedView(receiver=one.name, taken=not one.failing, said=one.why or "200 OK")
            for one in chosen
        )
