"""Notifications as the API tells them: who is told, how that goes, what is wrong. Since 1970."""

from __future__ import annotations

from typing import Annotated, Protocol

from msgspec import Meta

from saltern_master.api.service import View


class ReceiverView(View, frozen=True):
    """One who is told."""

    name: str
    by: str  # webhook, email
    to: str  # a webhook's host; addresses
    only: tuple[str, ...] = ()  # of these events; of all, where it is empty
    waiting: int = 0  # notices that it has not taken yet
    taken: float = 0.0  # when it took one last; 0: not since the master started
    failing: float = 0.0  # since when it does not take them; 0: it does
    tries: int = 0  # that failed since
    why: str = ""  # the last one did
    dropped: int = 0  # notices that were given up since the master started


class TroubleView(View, frozen=True):
    """Something that is wrong, as far as notifications know it."""

    event: str
    word: str
    node: str
    subject: str
    since: float
    told: float  # 0: not yet
    gone: float  # since when it is not seen any more, and its end not told; 0: it goes on
    why: str
    remedy: str


class NotifyView(View, frozen=True):
    """Who is told, and what there is to tell."""

    settings: str  # the file
    faults: str  # of the file; "": none
    receivers: tuple[ReceiverView, ...]
    troubles: tuple[TroubleView, ...]
    settled: float = 0.0  # until then nothing is told: the master began, or went on, a moment ago


class TriedView(View, frozen=True):
    """What came of a test."""

    receiver: str
    taken: bool
    said: str


class NotifyTest(View, frozen=True, forbid_unknown_fields=True):
    """Whom to send a test; "": all."""

    receiver: Annotated[str, Meta(max_length=63)] = ""


class Noticing(Protocol):
    """What core does for who is told, and does not look."""

    async def notifications(self) -> NotifyView:
        """Give who is told, how that goes, and what is wrong."""
        ...

    async def test_notifications(self, receiver: str) -> tuple[TriedView, ...]:
        """Send a test and give what came back; not-found, invalid where the settings are."""
        ...
