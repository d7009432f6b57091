"""What a played node says when it is asked for a plan."""

from __future__ import annotations

from hashlib import sha256

from saltern_master.api.plans import PlanLineView
from saltern_protocol.messages import Plan, PlanLine


def line_of(view: PlanLineView) -> PlanLine:
    """Give a line as a node says it."""
    return PlanLine(
        resource=view.resource,
        verb=view.verb,
        finding=view.finding,
        change=view.change,
        impact=view.impact,
        detail=view.detail,
    )


def digest_of(*lines: PlanLineView) -> bytes:
    """Name a plan by its lines."""
    return sha256(repr(lines).encode()).digest()


def page_of(plan: int, *lines: PlanLineView) -> Plan:
    """Give a plan of one page."""
    told = tuple(map(line_of, lines))
    return Plan(turn=plan, page=0, last=True, lines=told, digest=digest_of(*lines))
