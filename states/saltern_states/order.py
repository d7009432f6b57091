"""`after` -> order: what comes first, stable under what is declared.

Of all orders that keep every `after`, the one is given that stays nearest to the order of
declaration: equal bodies are applied equally, and a person finds things where they were written.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence


class CycleError(Exception):
    """Things that wait for one another; `cycle` names them, the first one again at the end."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        super().__init__(" after ".join(cycle))
        self.cycle = cycle


def in_order(after: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Give the ids so that each stands behind all of its `after`; CycleError where none can."""
    place = {name: number for number, name in enumerate(after)}
    waits_for = {name: {one for one in before if one in place} for name, before in after.items()}
    followers: dict[str, list[str]] = {name: [] for name in after}
    for name, before in waits_for.items():
        for one in before:
            followers[one].append(name)
    ready = [place[name] for name, before in waits_for.items() if not before]
    heapq.heapify(ready)
    names, ordered = list(after), []
    while ready:
        name = names[heapq.heappop(ready)]
        ordered.append(name)
        for follower in followers[name]:
            waits_for[follower].discard(name)
            if not waits_for[follower]:
                heapq.heappush(ready, place[follower])
    if len(ordered) < len(names):
        left = {name: before for name, before in waits_for.items() if before}
        raise CycleError(_cycle(left))
    return tuple(ordered)


def dependents(after: Mapping[str, Sequence[str]], of: frozenset[str]) -> frozenset[str]:
    """Give all that comes after any of these, directly or not, without these themselves."""
    found = set(of)
    grew = True
    while grew:
        more = {name for name, before in after.items() if name not in found and found & set(before)}
        found |= more
        grew = bool(more)
    return frozenset(found) - of


def _cycle(waits_for: Mapping[str, set[str]]) -> tuple[str, ...]:
    """Walk from any that waits to one that it waits for, until a name comes again."""
    walked = [next(name for name in waits_for)]
    while True:
        following = min(name for name in waits_for[walked[-1]] if name in waits_for)
        if following in walked:
            return (*walked[walked.index(following) :], following)
        walked.append(following)
