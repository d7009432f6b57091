"""What `saltern adopt` prints for a person. Pure; what a node said is escaped."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from saltern_protocol.errors import printable

from saltern_master.api.plans import NodePlan

if TYPE_CHECKING:
    from saltern_master.adopt.part import Part


def as_declared(plan: NodePlan) -> bool:
    """Tell whether a node has planned, and would do nothing."""
    quiet = not plan.changes and not plan.hindered and not plan.lines and not plan.cut
    return plan.result == "planned" and quiet


def moved(plan: NodePlan) -> dict[str, str]:
    """Give the resources that a plan would change, each with what it would do first."""
    found: dict[str, str] = {}
    for line in plan.lines:
        if line.verb == "hold":
            found.setdefault(line.resource, f"it would be changed: {line.change or line.finding}")
    return found


def found_lines(part: Part, plan: NodePlan, out: Path) -> Iterator[str]:
    """Say what is held, what is left and why, and what the plan comes to."""
    for one in part.held:
        yield printable(f"= {one.resource.id}")
    for left in part.left:
        yield printable(f"- {left.what}")
        yield printable(f"      {left.why}")
    for hint in part.hints:
        yield printable(f"  {hint}")
    yield f"{part.node}: {len(part.held)} as it is, {len(part.left)} left as it is and not held"
    yield from plan_told(plan)
    yield f"wrote {out}; nothing was changed on {part.node}"
    if as_declared(plan):
        yield f"to take it over: saltern adopt {part.node} --take --file {out}"
    elif others := sorted({one.resource for one in plan.lines} - _ids(part)):
        yield printable(f"of groups of the file that match {part.node} too: {', '.join(others)}")
        yield "it can be taken over once they do not: narrow their match, and adopt again"


def _ids(part: Part) -> set[str]:
    return {one.resource.id for one in part.held}


def plan_told(plan: NodePlan) -> Iterator[str]:
    """Say what a plan would do, a line for each change."""
    for line in plan.lines:
        yield printable(f"! {line.resource}: {line.change or line.finding}")
    changes, hindered = plan.changes, plan.hindered
    several = "" if changes == 1 else "s"
    yield f"plan: {changes} change{several}" + (f", {hindered} hindered" if hindered else "")
