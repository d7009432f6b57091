"""Laws that every kind keeps, as functions that a test calls on a node in memory."""

from __future__ import annotations

from typing import Any

from saltern_states.contract import Blocked, Change, Kind, Spec
from saltern_states.ports import Host

AnyKind = Kind[Any, Any, Any]


def converge(kind: AnyKind, host: Host, want: Spec) -> tuple[Change, ...]:
    """Plan, apply what can be applied, plan again: only what was blocked may be left over."""
    planned = kind.plan(host, want)
    for change in planned:
        if not isinstance(change, Blocked):
            kind.apply(host, change)
    blocked = tuple(change for change in planned if isinstance(change, Blocked))
    assert kind.plan(host, want) == blocked
    return planned


def take_back(kind: AnyKind, host: Host, want: Spec) -> tuple[Change, ...]:
    """The same for the removal."""
    planned = kind.plan_removal(host, want)
    for change in planned:
        if not isinstance(change, Blocked):
            kind.apply(host, change)
    blocked = tuple(change for change in planned if isinstance(change, Blocked))
    assert kind.plan_removal(host, want) == blocked
    return planned


def lines(changes: tuple[Change, ...]) -> list[str]:
    """What a plan shows, and below each line what stands behind a hindrance."""
    told: list[str] = []
    for change in changes:
        told.append(str(change))
        if isinstance(change, Blocked):
            told += [f"  then {each}" for each in lines(change.then)]
    return told
