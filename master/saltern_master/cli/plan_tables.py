"""A plan as people read it: per node and resource what comes, changes and goes, and how hard. Pure.

    w[1-40], w44 (41 nodes): 3 changes, restart
    + motd                          + it is made   ~ it is changed   - it is taken back
        create /etc/motd (…)        . it is forgotten and stays      ! it cannot be done
          +hello                    lines of a diff, with what was before

* Nodes that say the same are told once. What a node says is text, its control characters escaped.
* A line's colour says only what the line says too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final, Literal, get_args

from saltern_protocol.errors import printable

from saltern_master.api.plans import Impact, NodePlan, PlanLineView, PlanView
from saltern_master.cli.folding import Fold, fold, folded
from saltern_master.plan_words import becomes_of

Colour = Literal["", "green", "yellow", "red", "cyan"]
IMPACTS: Final[tuple[Impact, ...]] = get_args(Impact)
SHOWN: Final = 12
"""Lines of a diff that are shown where not all are asked for."""
MARKS: Final[dict[str, Colour]] = {"+": "green", "~": "yellow", "-": "red", ".": "", "!": "red"}
WORDS: Final = {
    "+": "added",
    "~": "changed",
    "-": "removed",
    ".": "forgotten",
    "!": "hindered",
}
SIGNS: Final = {word: mark for mark, word in WORDS.items()}


@dataclass(frozen=True, slots=True)
class Line:
    """One line, and its colour where there are colours."""

    text: str
    colour: Colour = ""


def plan_lines(plan: PlanView, full: bool) -> list[Line]:
    """Give the whole of a plan; `full`: with every line of every diff."""
    quiet = [one for one in plan.nodes if is_quiet(one)]
    loud = [one for one in plan.nodes if not is_quiet(one)]
    lines: list[Line] = []
    for each in fold(loud):
        told = list(_fold_lines(each, full))
        lines.extend([*told, Line("")] if len(told) > 1 else told)
    if quiet:
        lines.append(Line(f"{_named([one.node for one in quiet])}: as declared", "green"))
    return lines


def is_quiet(plan: NodePlan) -> bool:
    """Tell whether a node has planned and has nothing to do."""
    return plan.result == "planned" and not plan.lines and not plan.changes and not plan.cut


def _is_stuck(plan: NodePlan) -> bool:
    """Tell whether nothing can be done on a node of all that there is to do."""
    return plan.hindered > 0 and not plan.changes and not plan.cut


def sum_line(plan: PlanView) -> str:
    """Say in one line what a plan comes to."""
    planned = [one for one in plan.nodes if one.result == "planned"]
    quiet = sum(is_quiet(one) for one in planned)
    stuck = sum(_is_stuck(one) for one in planned)
    parts = [f"{len(planned) - quiet - stuck} to change", f"{quiet} as declared"]
    parts += [f"{stuck} hindered in all"] if stuck else []
    left = [one.result for one in plan.nodes if one.result != "planned"]
    parts += [f"{left.count(each)} {told_result(each)}" for each in dict.fromkeys(left)]
    counts = [f"{count} {WORDS[mark]}" for mark, count in _counts(planned).items() if count]
    impact = max((one.impact for one in planned), key=IMPACTS.index, default="none")
    what = ", ".join(counts) or "nothing to do"
    effect = f"; at most: {impact}" if impact != "none" else ""
    return f"{_count(len(plan.nodes), 'node')}: {', '.join(parts)}; resources: {what}{effect}"


def node_line(one: NodePlan) -> str:
    """Say in one line what came from a node."""
    if one.result != "planned":
        return printable(f"{one.node}: {told_result(one.result)}" + _why(one.why))
    return printable(f"{one.node}: {_head(one)}")


def told_result(result: str) -> str:
    """Give a result as it is told."""
    return {"waiting": "not heard yet"}.get(result, result)


def _fold_lines(each: Fold, full: bool) -> Iterator[Line]:
    plan = each.plan
    if plan.result != "planned":
        text = f"{_named(each.names)}: {told_result(plan.result)}{_why(plan.why)}"
        yield Line(printable(text), "red")
        return
    yield Line(printable(f"{_named(each.names)}: {_head(plan)}"), "cyan")
    for (resource, verb), group in groupby(plan.lines, key=lambda one: (one.resource, one.verb)):
        yield from _resource_lines(resource, verb, tuple(group), full)
    if plan.cut:
        yield Line(f"  … {_count(plan.cut, 'more line')}: it was too much to be kept", "red")


def _resource_lines(
    resource: str, verb: str, lines: Sequence[PlanLineView], full: bool
) -> Iterator[Line]:
    mark = mark_of(verb, lines)
    yield Line(printable(f"{mark} {resource}"), MARKS[mark])
    if mark == ".":
        yield Line("    it stays as it is, and is held no longer")
    for one in lines:
        if one.finding in ("blocked", "unreadable"):
            yield Line(printable(f"    {one.finding}: {one.change}"), "red")
            continue
        if one.change:
            impact = "" if one.impact == "none" else f"  [{one.impact}]"
            yield Line(printable(f"    {one.change}{impact}"))
        yield from _detail_lines(one.detail, full)


def mark_of(verb: str, lines: Iterable[PlanLineView]) -> str:
    """Say by one character what becomes of a resource."""
    return SIGNS[becomes_of(verb, tuple(lines))]


def _detail_lines(detail: str, full: bool) -> Iterator[Line]:
    rows = detail.rstrip("\n").split("\n") if detail else []
    shown = rows if full or len(rows) <= SHOWN + 1 else rows[:SHOWN]
    for row in shown:
        colour: Colour = "green" if row.startswith("+") else "red" if row.startswith("-") else ""
        yield Line(f"      {printable(row)}".rstrip(), colour)
    if len(rows) > len(shown):
        yield Line(f"      … {len(rows) - len(shown)} more lines; --full shows them")


def _head(one: NodePlan) -> str:
    if is_quiet(one):
        return "as declared"
    parts = [_count(one.changes, "change")]
    if one.hindered:
        parts.append(f"{one.hindered} hindered")
    if one.impact != "none":
        parts.append(one.impact)
    return ", ".join(parts)


def _counts(planned: Iterable[NodePlan]) -> dict[str, int]:
    """Count the resources of all nodes by what becomes of them."""
    counts = dict.fromkeys(MARKS, 0)
    for plan in planned:
        for (_, verb), group in groupby(plan.lines, key=lambda one: (one.resource, one.verb)):
            counts[mark_of(verb, group)] += 1
    return counts


def _named(names: Sequence[str]) -> str:
    count = f" ({len(names)} nodes)" if len(names) > 1 else ""
    return f"{folded(names)}{count}"


def _why(why: str) -> str:
    return f": {why}" if why else ""


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
