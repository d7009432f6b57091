"""A plan that is asked of nodes: who is waited for, what each has said so far. Pure.

    waiting -> planned        its last page came
    waiting -> refused        it will not plan that, or nobody could ask it; `why`
    waiting -> unreachable    not connected, and not back within the grace
    waiting -> expired        no sign of progress within the deadline, or its proposal's life over

* A plan is a frozen value; each step gives the next one, or the very same where nothing moved.
* Pages come in order, and the first of them begins anew: a node that is asked again says all again.
  A page out of order is passed over.
* Of one node MOST_OF_NODE bytes of text are kept, and no more than there is room for; the rest is
  counted. What ended stays as it is.
* `now` is monotonic seconds, as are the times of who is gone; only what people are shown is told by
  the wall clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, get_args

from saltern_protocol.messages import Plan as Page
from saltern_protocol.messages import PlanLine

from saltern_master.api.plans import Impact, NodePlan, PlanLineView, PlanResult, PlanView
from saltern_master.core.turns import Limits
from saltern_master.plan_words import worded

MOST_OF_NODE: Final = 4 * 1024 * 1024
LINE: Final = 64
"""Bytes that a line counts for beside its text."""
HINDERED: Final = ("blocked", "unreadable")
OVERTAKEN: Final = "superseded"
"""Why a node puts a proposal by: a document came. When it has that it is asked again."""
DIGEST_BYTES: Final = 32
IMPACTS: Final[tuple[Impact, ...]] = get_args(Impact)
NOT_HERE: Final = "it is not connected, so it cannot say what it would change"


@dataclass(frozen=True, slots=True)
class Asked:
    """How far a node is that is waited for."""

    body: str  # the hash of what it plans
    moved: float  # its last sign of progress
    page: int = 0  # the one that is to come
    lines: tuple[PlanLineView, ...] = ()
    weight: int = 0
    cut: int = 0
    changes: int = 0
    hindered: int = 0
    last_hindered: str = ""  # resource
    impact: Impact = "none"


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan. Its maps are never changed in place."""

    number: int
    revision: int
    file: str
    began: float  # seconds since 1970
    since: float  # the same, monotonic
    notes: tuple[str, ...] = ()
    asked: Mapping[str, Asked] = field(default_factory=dict)  # who is waited for
    nodes: Mapping[str, NodePlan] = field(default_factory=dict)  # who is not
    weight: int = 0  # of all lines that are kept
    ended: float = 0.0  # seconds since 1970; 0: not yet


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by both clocks."""

    steady: float
    wall: float


def take(plan: Plan, node: str, page: Page, version: int, room: int, now: Moment) -> Plan:
    """Take a page. `version`: of the document that the node has; `room`: bytes to be had yet."""
    asked = plan.asked.get(node)
    if asked is None or page.page not in (0, asked.page):
        return plan
    if page.reason == OVERTAKEN:
        return progressed(plan, node, now.steady)
    freed = asked.weight if page.page == 0 else 0
    if page.page == 0:
        asked = Asked(asked.body, asked.moved)
    before = asked.weight
    asked = _with(asked, page.lines, room + freed + before)
    asked = replace(asked, page=page.page + 1, moved=now.steady)
    plan = replace(plan, weight=plan.weight - freed + asked.weight - before)
    if not page.last:
        return replace(plan, asked={**plan.asked, node: asked})
    return _end(plan, {node: _whole(node, asked, page, version)}, now.wall)


def progressed(plan: Plan, node: str, now: float) -> Plan:
    """Take a sign that a node is at work: its deadline counts from now."""
    asked = plan.asked.get(node)
    if asked is None:
        return plan
    return replace(plan, asked={**plan.asked, node: replace(asked, moved=now)})


def refuse(plan: Plan, nodes: Iterable[str], why: str, wall: float) -> Plan:
    """End these in their place: nobody will ask them any more."""
    return _give_up(plan, dict.fromkeys(nodes, ("refused", why)), wall)


def begun(plan: Plan, wall: float) -> Plan:
    """Note the end of a plan that waits for nobody from the first."""
    return _end(plan, {}, wall)


def pass_time(plan: Plan, gone: Mapping[str, float], now: Moment, limits: Limits) -> Plan:
    """End what patience ends. `gone`: since when nodes are not connected, monotonic."""
    given_up: dict[str, tuple[PlanResult, str]] = {}
    for name, asked in plan.asked.items():
        if _due(plan, name, gone, limits) > now.steady:
            continue
        if name in gone and max(plan.since, gone[name]) + limits.grace <= now.steady:
            given_up[name] = ("unreachable", NOT_HERE)
        else:
            silent = max(0.0, now.steady - asked.moved)
            why = f"it told no plan, and no progress for {silent:.0f} s; see saltern-agent status"
            given_up[name] = ("expired", f"{why} there")
    return _give_up(plan, given_up, now.wall)


def next_due(plan: Plan, gone: Mapping[str, float], limits: Limits) -> float | None:
    """Give when pass_time() will next change something; None: never, as things stand."""
    return min((_due(plan, name, gone, limits) for name in plan.asked), default=None)


def view_of(plan: Plan) -> PlanView:
    """Give a plan as people are shown it."""
    waiting = {name: NodePlan(node=name, body=one.body) for name, one in plan.asked.items()}
    nodes = {**waiting, **plan.nodes}
    return PlanView(
        plan=plan.number,
        revision=plan.revision,
        file=plan.file,
        began=plan.began,
        ended=plan.ended,
        notes=plan.notes,
        nodes=tuple(nodes[name] for name in sorted(nodes)),
    )


def _due(plan: Plan, node: str, gone: Mapping[str, float], limits: Limits) -> float:
    due = min(plan.asked[node].moved + limits.deadline, plan.since + limits.longest)
    if node in gone:
        return min(due, max(plan.since, gone[node]) + limits.grace)
    return due


def _with(asked: Asked, lines: Iterable[PlanLine], room: int) -> Asked:
    """Count all lines, and keep them while there is room: after one that was cut none is kept.

    A change has a line; a resource that is hindered is one, however many lines it has.
    """
    kept, weight, cut = list(asked.lines), asked.weight, asked.cut
    changes, hindered, last = asked.changes, asked.hindered, asked.last_hindered
    impact = asked.impact
    for line in lines:
        impact = max(impact, _impact(line.impact), key=IMPACTS.index)
        if line.finding == "to change":
            changes += 1
        elif line.finding in HINDERED and line.resource != last:
            hindered, last = hindered + 1, line.resource
        heavier = weight + _weight(line)
        if cut or heavier > min(MOST_OF_NODE, room):
            cut += 1
        else:
            kept.append(_view(line))
            weight = heavier
    return replace(
        asked,
        lines=tuple(kept),
        weight=weight,
        cut=cut,
        changes=changes,
        hindered=hindered,
        last_hindered=last,
        impact=impact,
    )


def _weight(line: PlanLine) -> int:
    texts = (line.resource, line.verb, line.finding, line.change, line.detail)
    return LINE + sum(len(text.encode()) for text in texts)


def _view(line: PlanLine) -> PlanLineView:
    return PlanLineView(
        resource=line.resource,
        verb=line.verb,
        finding=line.finding,
        change=line.change,
        impact=_impact(line.impact),
        detail=line.detail,
    )


def _impact(text: str) -> Impact:
    """An impact that this release does not know may be any."""
    return next((one for one in IMPACTS if one == text), "unknown")


def _whole(node: str, asked: Asked, page: Page, version: int) -> NodePlan:
    if page.reason or page.why:
        why = page.why or page.reason
        return NodePlan(
            node=node, result="refused", why=why, body=asked.body, version=version, impact="unknown"
        )
    return NodePlan(
        node=node,
        result="planned",
        changes=asked.changes,
        hindered=asked.hindered,
        impact=asked.impact,
        lines=worded(asked.lines),
        cut=asked.cut,
        body=asked.body,
        version=version,
        digest=page.digest.hex() if len(page.digest) == DIGEST_BYTES else "",
    )


def _give_up(plan: Plan, given_up: Mapping[str, tuple[PlanResult, str]], wall: float) -> Plan:
    """What had come of half a plan is no plan: it is dropped."""
    names = [name for name in given_up if name in plan.asked]
    if not names:
        return plan
    freed = sum(plan.asked[name].weight for name in names)
    ends = {
        name: NodePlan(
            node=name,
            result=given_up[name][0],
            why=given_up[name][1],
            body=plan.asked[name].body,
            impact="unknown",
        )
        for name in names
    }
    return _end(replace(plan, weight=plan.weight - freed), ends, wall)


def _end(plan: Plan, ends: Mapping[str, NodePlan], wall: float) -> Plan:
    """Note these ends, and that of the whole once nobody is waited for."""
    asked = {name: one for name, one in plan.asked.items() if name not in ends}
    nodes = {**plan.nodes, **ends}
    ended = plan.ended if asked or plan.ended else wall
    return replace(plan, asked=asked, nodes=nodes, ended=ended)
