"""What becomes of a resource by a plan's lines of it, in one word. Pure.

Nodes tell what they would do as text; whether that makes something that was not there is read from
how the text begins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Final

from msgspec.structs import replace

from saltern_master.api.plans import Becomes, PlanLineView

HINDERED: Final = ("blocked", "unreadable")
ADDS: Final = re.compile(
    r"(?!.*( -> | \(was ))"
    r"(create|unpack|install|load|add the route|make (directory|the bridge|the chain|key))\b"
)
"""How the text of a change begins that makes what was not there."""


def worded(lines: Iterable[PlanLineView]) -> tuple[PlanLineView, ...]:
    """Give the lines of a node's plan, each with what becomes of its resource."""
    found: list[PlanLineView] = []
    for (_, verb), group in groupby(lines, key=lambda one: (one.resource, one.verb)):
        together = tuple(group)
        becomes = becomes_of(verb, together)
        found += [replace(one, becomes=becomes) for one in together]
    return tuple(found)


def becomes_of(verb: str, lines: Sequence[PlanLineView]) -> Becomes:
    """Say what becomes of a resource that has these lines."""
    if any(one.finding in HINDERED for one in lines):
        return "hindered"
    if verb != "hold":
        return "removed" if verb == "remove" else "forgotten"
    return "added" if ADDS.match(lines[0].change) else "changed"
