"""Pages: a plan as the master is told it, in messages that it can read. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from saltern_protocol.messages import Plan as Page
from saltern_protocol.messages import PlanLine

from saltern_agent.items import MAX_SHORT, MAX_TEXT, cut
from saltern_agent.plan import Plan, Planned
from saltern_agent.plan_digest import counts, digest

MAX_LINES = 500
MAX_BYTES = 160 * 1024
MAX_DETAIL = 16 * 1024  # characters; four bytes each at most


def pages(turn: int, plan: Plan) -> tuple[Page, ...]:
    """Give the pages of a plan: what is not as declared, or is to be forgotten."""
    shown = (one for one in plan.steps if counts(one))
    *cuts, last = list(_cut(line for one in shown for line in _lines(one))) or [()]
    return (
        *(
            Page(turn=turn, page=number, last=False, lines=lines)
            for number, lines in enumerate(cuts)
        ),
        Page(turn=turn, page=len(cuts), last=True, lines=last, digest=digest(plan)),
    )


def no_plan(turn: int, reason: str, why: str) -> Page:
    """Say why there is none."""
    reason, why = cut(reason, MAX_SHORT), cut(why, MAX_TEXT)
    return Page(turn=turn, page=0, last=True, lines=(), reason=reason, why=why)


def _lines(planned: Planned) -> Iterator[PlanLine]:
    common = {
        "resource": planned.step.resource.id,
        "verb": planned.step.verb,
        "finding": planned.finding,
    }
    if planned.hindered or not planned.changes:
        yield PlanLine(**common, change=cut(planned.why, MAX_TEXT), impact="none")
    supposed = f" ({planned.why})" if planned.supposing else ""  # words: not in the digest
    for change in planned.changes:
        yield PlanLine(
            **common,
            change=cut(f"{change}{supposed}", MAX_TEXT),
            impact=change.impact.value,
            detail=_detail(change.detail),
        )


def _detail(text: str) -> str:
    """A diff keeps its lines; what is no text in it is escaped."""
    shown = text.encode("utf-8", "backslashreplace").decode()
    return shown if len(shown) <= MAX_DETAIL else f"{shown[: MAX_DETAIL - 1]}…"


def _cut(lines: Iterable[PlanLine]) -> Iterator[tuple[PlanLine, ...]]:
    page: list[PlanLine] = []
    size = 0
    for line in lines:
        weight = len(line.change.encode()) + len(line.detail.encode()) + 512
        if page and (len(page) == MAX_LINES or size + weight > MAX_BYTES):
            yield tuple(page)
            page, size = [], 0
        page.append(line)
        size += weight
    if page:
        yield tuple(page)
