"""Holds as the API tells them: whose drift is told and left alone, and until when.

A hold is a person's; a window is of the cluster file. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from typing import Annotated, Final, Protocol

from msgspec import Meta
from saltern_protocol.terms import MOST_HELD, Name

from saltern_master.api.service import View

MOST_NODES: Final = 500
"""That one question names one by one; a target means as many as there are."""
MOST_HOLD: Final = 64 * 1024
"""Bytes of a HoldAsk."""
LONGEST_BY: Final = 64
Reason = Annotated[
    str,
    Meta(
        pattern=r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f])?\Z",
        min_length=1,
        max_length=200,
    ),
]


class HoldView(View, frozen=True):
    """One node that a person holds."""

    node: str
    since: float
    until: float
    why: str
    by: str
    connected: bool = False
    in_force: bool = False  # the node was told; else it will be when it comes back
    before_until: float = 0.0  # of the hold that this one took the place of; 0: there was none
    before_by: str = ""


class WindowView(View, frozen=True):
    """A maintenance window, and when it is open: now, or next."""

    name: str
    why: str
    zone: str
    begins: float
    ends: float
    open: bool
    nodes: tuple[str, ...]  # of those that have joined
    in_force: tuple[str, ...] = ()  # those that were told


class HoldsView(View, frozen=True):
    """All that is held, and the windows in the order in which they open."""

    holds: tuple[HoldView, ...] = ()
    windows: tuple[WindowView, ...] = ()


class HoldAsk(View, frozen=True, forbid_unknown_fields=True):
    """Whom to hold: nodes by name, or a target; for how many seconds, and why."""

    seconds: Annotated[int, Meta(ge=1, le=MOST_HELD)]
    why: Reason
    by: Annotated[str, Meta(min_length=1, max_length=LONGEST_BY)]
    nodes: Annotated[tuple[Name, ...], Meta(max_length=MOST_NODES)] = ()
    target: Annotated[str, Meta(max_length=4096)] = ""


class ReleaseAsk(View, frozen=True, forbid_unknown_fields=True):
    """Whom to hold no longer: nodes by name with commas, a target, or all that a person holds."""

    nodes: Annotated[str, Meta(max_length=64 * MOST_NODES)] = ""
    target: Annotated[str, Meta(max_length=4096)] = ""
    all: bool = False


class Holder(Protocol):
    """What core does for people who work on nodes."""

    async def hold(self, ask: HoldAsk) -> tuple[HoldView, ...]:
        """Hold nodes from now on: all that are meant, or none. invalid."""
        ...

    async def release(self, ask: ReleaseAsk) -> tuple[HoldView, ...]:
        """Hold nodes no longer; gives what held them. not-found, invalid, conflict."""
        ...

    async def holds(self) -> HoldsView:
        """Give persons' holds, and all windows."""
        ...
