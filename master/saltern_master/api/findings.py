"""What the doctor found, as the API tells it: in the cluster file, on each node, between nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from saltern_master.api.service import FindingView, View
from saltern_master.doctor.noted import Noted


class NotedView(View, frozen=True):
    """A trap, and the nodes that it is about; () for the cluster as a whole."""

    finding: FindingView
    nodes: tuple[str, ...] = ()


class NodeFindings(View, frozen=True):
    """What one node told last of itself."""

    node: str
    connected: bool
    told_at: float  # by the master's clock; 0: it never told any
    findings: tuple[FindingView, ...] = ()


class FindingsView(View, frozen=True):
    """All traps that stand open. `now`: the master's clock."""

    now: float
    revision: int  # of the file that was looked at; 0: none was applied yet
    file: tuple[NotedView, ...]
    between: tuple[NotedView, ...]
    nodes: tuple[NodeFindings, ...]


class Diagnosing(Protocol):
    """What core does for who asks for traps."""

    async def findings(self) -> FindingsView:
        """Give all traps that stand open: in the file applied last, on nodes, between them."""
        ...


def noted_views(found: Iterable[Noted]) -> tuple[NotedView, ...]:
    """Give traps as people are shown them."""
    return tuple(
        NotedView(
            finding=FindingView(
                trap=one.finding.trap,
                what=one.finding.what,
                remedy=one.finding.remedy,
                bad=one.finding.bad,
            ),
            nodes=one.nodes,
        )
        for one in found
    )
