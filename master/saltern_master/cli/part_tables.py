"""Nodes' parts and traps as people are shown them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from typing import Final

from saltern_protocol.errors import printable

from saltern_master.api.service import NodeView, PartView
from saltern_master.cli.listing import columns
from saltern_master.cli.moments import ago, moment

WORST: Final = ("bad", "degraded", "unknown")
TOLD: Final = ("bad", "degraded")
"""What status tells the reason of; unknown is a node that is not connected, which it says so."""


def parts_text(node: NodeView) -> str:
    """Give the worst part of a node in a few words: "docker bad, 2 more"; "": it tells of none."""
    worst = next((state for state in WORST if _in(node, (state,))), "")
    if not worst:
        return "good" if node.parts else ""
    if worst == "unknown" and not node.connected:
        return worst
    first, more = _in(node, (worst,))[0], len(_in(node, WORST)) - 1
    return f"{first.name} {first.state}" + (f", {more} more" if more else "")


def part_lines(nodes: Iterable[NodeView], now: float) -> list[str]:
    """Give the worst part of each connected node that is not well, and why."""
    found = [(node.name, _in(node, TOLD)) for node in nodes if node.connected]
    lines = [
        printable(f"{name}: {one.name} {one.state} ({ago(one.since, now)}): {one.why}")
        for name, parts in found
        for one in sorted(parts, key=lambda part: WORST.index(part.state))[:1]
    ]
    return [*lines, ""] if lines else []


def page_lines(node: NodeView, now: float, zone: tzinfo | None) -> list[str]:
    """Give all parts of a node, and the traps that stand open on it."""
    lines: list[str] = []
    if node.parts:
        rows = ((one.name, one.state, moment(one.since, now, zone), one.why) for one in node.parts)
        lines += ["", *columns(("part", "state", "since", "why"), rows)]
    for one in node.findings:
        how = "TRAP" if one.bad else "trap"
        lines += ["", printable(f"{how} {one.trap}: {one.what}"), printable(f"  {one.remedy}")]
    return lines


def is_bad(node: NodeView) -> bool:
    """Tell whether a part of a node does not do its work."""
    return bool(_in(node, ("bad",)))


def _in(node: NodeView, states: tuple[str, ...]) -> tuple[PartView, ...]:
    return tuple(one for one in node.parts if one.state in states)
