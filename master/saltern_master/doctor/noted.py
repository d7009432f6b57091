"""A trap with the nodes that it is about, and how equal ones of many nodes become one. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saltern_protocol.condition import Finding

MAX_WORDS = 1024


@dataclass(frozen=True, slots=True)
class Noted:
    """A trap, and whom it is about; () for the cluster as a whole."""

    nodes: tuple[str, ...]
    finding: Finding


def noted(trap: str, what: str, remedy: str, *nodes: str, bad: bool = True) -> Noted:
    """Give one."""
    return Noted(
        nodes, Finding(trap=trap, what=what[:MAX_WORDS], remedy=remedy[:MAX_WORDS], bad=bad)
    )


def together(found: Iterable[Noted]) -> tuple[Noted, ...]:
    """Put those together that say the same of several nodes, the bad ones first."""
    groups: dict[Finding, dict[str, None]] = {}
    for one in found:
        groups.setdefault(one.finding, {}).update(dict.fromkeys(one.nodes))
    whole = (Noted(tuple(nodes), finding) for finding, nodes in groups.items())
    return tuple(sorted(whole, key=lambda one: not one.finding.bad))
