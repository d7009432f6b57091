"""Many nodes in few words: names that count on are a range, plans that are equal are one. Pure.

    w1 w2 w3 w7 cp1  ->  cp1, w[1-3], w7

* No name is lost and none is told twice: unfolded(folded(names)) are the names.
* Plans are equal where they say the same, whatever their bodies and digests are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from saltern_master.api.plans import NodePlan

NONE: Final = -2  # nothing that is a number comes next to it
_NUMBERED: Final = re.compile(r"(.*?)(0|[1-9][0-9]{0,8})([^0-9]*)\Z", re.DOTALL)
_RANGE: Final = re.compile(r"(.*)\[([0-9]+)-([0-9]+)\](.*)\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fold:
    """Nodes of which one plan tells all: that of the first."""

    names: tuple[str, ...]
    plan: NodePlan


def fold(plans: Iterable[NodePlan]) -> tuple[Fold, ...]:
    """Put nodes together whose plans say the same, in the order of the first of each."""
    groups: dict[NodePlan, list[NodePlan]] = {}
    for one in sorted(plans, key=lambda plan: plan.node):
        said = replace(one, node="", body="", digest="", version=0)
        groups.setdefault(said, []).append(one)
    return tuple(Fold(tuple(one.node for one in group), group[0]) for group in groups.values())


def folded(names: Iterable[str]) -> str:
    """Give names as people write them, three and more that count on as a range."""
    parts = [_split(name) for name in set(names)]
    parts.sort(key=lambda part: (part[0], part[2], part[1]))
    told: list[str] = []
    for (head, tail), group in groupby(parts, key=lambda part: (part[0], part[2])):
        told.extend(_runs(head, tail, [number for _, number, _ in group]))
    return ", ".join(told)


def unfolded(text: str) -> tuple[str, ...]:
    """Give the names of what folded() gave."""
    names: list[str] = []
    for part in filter(None, text.split(", ")):
        found = _RANGE.match(part)
        if found is None:
            names.append(part)
        else:
            numbers = range(int(found[2]), int(found[3]) + 1)
            names.extend(f"{found[1]}{number}{found[4]}" for number in numbers)
    return tuple(names)


def _split(name: str) -> tuple[str, int, str]:
    """Cut at the last number; NONE: it has none that can be counted on."""
    found = _NUMBERED.match(name)
    if found is None or found[1][-1:].isdigit():
        return name, NONE, ""
    return found[1], int(found[2]), found[3]


def _runs(head: str, tail: str, numbers: list[int]) -> list[str]:
    """Give the runs of sorted numbers."""
    told: list[str] = []
    at = 0
    while at < len(numbers):
        end = at
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        if numbers[at] == NONE:
            told.append(head)
        elif end - at >= 2:
            told.append(f"{head}[{numbers[at]}-{numbers[end]}]{tail}")
        else:
            told.extend(f"{head}{number}{tail}" for number in numbers[at : end + 1])
        at = end + 1
    return told
