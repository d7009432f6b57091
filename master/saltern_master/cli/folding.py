"""Many nodes in few words: names that count on are a range, plans that are equal are one. Pure.

    w1 w2 w3 w7 cp1  ->  cp1, w[1-3], w7

* No name is lost and none is told twice: unfolded(folded(names)) are the names.
* Plans are equal where they say the same, whatever their bodies and digests are.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from saltern_master.api.plans import NodePlan

_NUMBERED: Final = re.compile(r"(.*?)([0-9]{1,9})([^0-9]*)\Z", re.DOTALL)
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


def folded_faults(faults: Iterable[str]) -> tuple[str, ...]:
    """Put together what is said of many nodes: "w1: moved" and "w2: moved" are "w1, w2: moved"."""
    said: dict[str, list[str]] = {}
    for fault in faults:
        name, _, text = fault.partition(": ")
        said.setdefault(text, []).append(name)
    return tuple(f"{folded(names)}: {text}" for text, names in said.items())


def folded(names: Iterable[str]) -> str:
    """Give names as people write them, three and more that count on as a range."""
    parts = [_split(name) for name in set(names)]
    widths = {(one.head, one.tail, len(one.digits)) for one in parts if one.digits[:1] == "0"}
    places = {one: _place(one, widths) for one in parts}
    parts.sort(key=lambda one: (places[one], one.number))
    told: list[str] = []
    for _, group in groupby(parts, key=lambda one: places[one]):
        told.extend(_runs(list(group)))
    return ", ".join(told)


def unfolded(text: str) -> tuple[str, ...]:
    """Give the names of what folded() gave."""
    names: list[str] = []
    for part in filter(None, text.split(", ")):
        found = _RANGE.match(part)
        if found is None:
            names.append(part)
            continue
        width = len(found[2]) if found[2][0] == "0" else 0
        numbers = range(int(found[2]), int(found[3]) + 1)
        names.extend(f"{found[1]}{number:0{width}}{found[4]}" for number in numbers)
    return tuple(names)


@dataclass(frozen=True, slots=True)
class Part:
    """A name, cut at its last number; without digits it has none that can be counted on."""

    head: str
    digits: str = ""
    tail: str = ""

    @property
    def number(self) -> int:
        """What counts."""
        return int(self.digits or 0)

    def __str__(self) -> str:
        return f"{self.head}{self.digits}{self.tail}"


Place = tuple[str, str, int]
"""Head, tail, and of how many digits: 0 where none are padded, -1 without a number."""


def _split(name: str) -> Part:
    found = _NUMBERED.match(name)
    if found is None or found[1][-1:].isdigit():
        return Part(name)
    return Part(found[1], found[2], found[3])


def _place(part: Part, padded: Collection[Place]) -> Place:
    """Say with whom a name is counted: 009 with 010, and 9 with 10."""
    if not part.digits:
        return (part.head, part.tail, -1)
    own = (part.head, part.tail, len(part.digits))
    return own if own in padded and len(part.digits) > 1 else (part.head, part.tail, 0)


def _runs(parts: list[Part]) -> Iterator[str]:
    """Give the runs of names of one place, in their order."""
    at = 0
    while at < len(parts):
        end = at
        while end + 1 < len(parts) and parts[end + 1].number == parts[end].number + 1:
            end += 1
        first, last = parts[at], parts[end]
        if end - at >= 2:
            yield f"{first.head}[{first.digits}-{last.digits}]{first.tail}"
        else:
            yield from map(str, parts[at : end + 1])
        at = end + 1
