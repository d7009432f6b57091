"""A saved plan and what nodes say now -> what moved, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from saltern_master.api.plans import NodePlan, PlanLineView
from saltern_master.api.service import ServiceError

MOST_LINES = 5
"""Of a node, of those that are new and of those that are no more."""


def stale(faults: Mapping[str, str]) -> ServiceError:
    """Give the refusal of a plan that is no more what it was, for these nodes."""
    (one, *others) = sorted(faults)
    names = one if not others else f"{len(faults)} nodes"
    text = f"cannot apply this plan: it is stale for {names}; nothing was begun. Plan again"
    return ServiceError("conflict", text, tuple(faults[name] for name in sorted(faults)))


def moved(node: str, before: NodePlan | None, now: NodePlan) -> str:
    """Say what a node would do now that it did not tell before. `before`: None: it is not kept."""
    if now.result != "planned":
        return f"{node}: it cannot be asked again: {now.why}"
    if not now.digest:
        return f"{node}: its agent names no plan by a digest; install this master's release there"
    if before is None:
        told = "; ".join(map(_words, now.lines[:MOST_LINES])) or "nothing"
        more = now.changes - MOST_LINES
        return f"{node}: it would now do something else: {told}{_more(more)}"
    new = [one for one in now.lines if one not in before.lines]
    old = [one for one in before.lines if one not in now.lines]
    if not new and not old:
        return f"{node}: it would do the same to something else: what it found there has changed"
    same = {_words(one) for one in new} & {_words(one) for one in old}
    other = "from another state, or to another, than was shown it would"
    parts = (
        _part("it would now", [one for one in new if _words(one) not in same]),
        _part("it would no more", [one for one in old if _words(one) not in same]),
        _part(other, [one for one in new if _words(one) in same]),
    )
    return f"{node}: {'; '.join(filter(None, parts))}"


def other_body(node: str, body: str) -> str:
    """Say of a node that it would be given another body. `body`: now; "": none."""
    if not body:
        return f"{node}: it is not in the cluster file, has not joined or is leaving"
    return (
        f"{node}: it would be given another body than the one that was planned: the cluster file, "
        "the library, or who has joined is another"
    )


def _part(head: str, lines: list[PlanLineView]) -> str:
    if not lines:
        return ""
    told = ", ".join(map(_words, lines[:MOST_LINES]))
    return f"{head} {told}{_more(len(lines) - MOST_LINES)}"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""


def _words(line: PlanLineView) -> str:
    return f"{line.verb} {line.resource}: {line.change or line.finding}"
