"""Plans as the API tells them: what each targeted node says that it would change.

Nothing is written to any node for a plan. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

from saltern_protocol.terms import HexDigest

from saltern_master.api.service import TurnView, View

PlanResult = Literal[
    "waiting",  # not yet
    "planned",
    "refused",  # the node will not take such a document, or has a reason of its own; see `why`
    "unreachable",
    "expired",  # it told no end in time
]
Becomes = Literal["", "added", "changed", "removed", "forgotten", "hindered"]
Impact = Literal["none", "reload", "restart", "drain", "reboot", "unknown"]


class PlanLineView(View, frozen=True):
    """One change of one resource, or why none can be made. `detail`: a unified diff of a file."""

    resource: str
    verb: str  # hold, remove, forget
    finding: str  # to change, blocked, unreadable, as declared
    change: str
    impact: Impact
    detail: str = ""
    becomes: Becomes = ""  # of the resource, by all lines of it; "": not worked out


class NodePlan(View, frozen=True):
    """What one node would change."""

    node: str
    result: PlanResult = "waiting"
    changes: int = 0
    hindered: int = 0
    impact: Impact = "none"  # the greatest of its lines
    lines: tuple[PlanLineView, ...] = ()
    cut: int = 0  # lines that were too many to be kept
    why: str = ""
    body: str = ""  # hash of the body that was planned, 64 digits
    version: int = 0  # of the document that the node had
    digest: str = ""  # over all that it would do, 64 digits; "": there is no plan


class PlanView(View, frozen=True):
    """A plan of a cluster file for some nodes."""

    plan: int
    revision: int  # that was applied last when it was made; 0: none
    file: str  # SHA-256 of the cluster file, 64 digits
    began: float
    ended: float = 0.0  # 0: not yet
    notes: tuple[str, ...] = ()
    nodes: tuple[NodePlan, ...] = ()


class Expected(View, frozen=True):
    """What a person saw of one node's plan, and wants: this and nothing else."""

    body: HexDigest
    digest: HexDigest


class Planning(Protocol):
    """What core does for people who want to know before they act."""

    async def plan(self, file: bytes, target: str) -> PlanView:
        """Begin to plan a cluster file; an empty one: the one that was applied last.

        `target`: see targeting.py; "": all nodes of the file. invalid, with all faults, for a bad
        file or target; conflict where nothing was applied yet and no file is given.
        """
        ...

    async def plan_so_far(self, number: int) -> PlanView:
        """Give a plan; not-found for one that is kept no longer (plans live as long as core)."""
        ...

    def follow_plan(self, number: int) -> AsyncIterator[NodePlan | PlanView]:
        """Give each node's plan as it comes; the whole PlanView when nobody is waited for."""
        ...

    async def apply_planned(self, file: bytes, expects: dict[str, Expected]) -> TurnView:
        """Apply exactly what was planned, to these nodes; an empty file: the one applied last.

        conflict where it is stale: its faults say for each node what moved, and nothing was begun.
        """
        ...
