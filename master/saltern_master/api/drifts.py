"""Reading drift: what can be asked of its record, and the values that answer.

Times are seconds since 1970, UTC, by the clock of the node that told them, but for `stored`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, Literal, Protocol

from saltern_master.api.service import DriftView, HeldView, View

MOST_DRIFT: Final = 10_000
MOST_READ: Final = 100_000
"""Records that are looked at for one list; a question that needs more is to be narrowed."""


@dataclass(frozen=True, slots=True)
class DriftAsk:
    """Which drift is asked for: what all of this holds of."""

    nodes: frozenset[str] | None = None  # None: of every node
    resource: str = ""  # a glob; "": any
    kind: str = ""  # file, or file/1
    nature: str = ""
    since: float = 0.0  # recorded then or later
    until: float = 0.0  # recorded before; 0: at any time
    open: bool = False  # only what has not ended
    incident: bool = False  # only fights
    most: int = 100
    before: str = ""  # only what is older than the drift of this id

    def means(self, one: DriftView) -> bool:
        """Tell whether a drift is one of these, whatever was listed already."""
        return (
            (self.nodes is None or one.node in self.nodes)
            and (not self.resource or fnmatchcase(one.resource, self.resource))
            and self.kind in ("", one.kind, one.kind.partition("/")[0])
            and self.nature in ("", one.nature)
            and self.since <= one.recorded
            and not 0 < self.until <= one.recorded
            and not (self.open and one.healed)
            and (one.incident or not self.incident)
        )


class DriftPolicyView(View, frozen=True):
    """What the node's document says is done about drift of a resource."""

    mode: Literal["enforce", "report"]
    times: int  # repairs within `minutes`, after which it is a fight; 0: no bound
    minutes: int


class DriftPage(View, frozen=True):
    """All of one drift, and what is known beside its record."""

    drift: DriftView
    now: float  # by the master's clock
    connected: bool  # the node, now
    policy: DriftPolicyView | None = None  # None: no document of the node has the resource now
    hold: HeldView | None = None  # what holds the node now; None: nothing does
    after: tuple[str, ...] = ()  # ids of later drifts of the same resource, the newest first


class Drifting(Protocol):
    """What core tells of drift."""

    async def drift(self, ask: DriftAsk) -> tuple[DriftView, ...]:
        """List drift, newest first; invalid where too much would have to be read."""
        ...

    async def one_drift(self, name: str) -> DriftPage:
        """Give all of one, by its id; invalid, not-found."""
        ...

    def follow_drift(self, ask: DriftAsk) -> AsyncIterator[DriftView]:
        """Give drift as it is stored, as it becomes otherwise and as it ends, without end."""
        ...
