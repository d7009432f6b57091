"""A query about drift -> what core is asked, or every fault at once. Pure.

What is named is looked up: a kind, a nature and a target that do not exist are errors which say
what there is, and not empty lists.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from saltern_protocol.errors import printable
from saltern_protocol.report import Nature
from saltern_protocol.terms import LAST_SECOND
from saltern_states.kinds import BY_NAME

from saltern_master.api.drift_requests import DriftFollow, DriftQuery
from saltern_master.api.drifts import DriftAsk
from saltern_master.api.service import NodeView, ServiceError
from saltern_master.cluster.faults import did_you_mean
from saltern_master.named import no_such_node
from saltern_master.subjects import subject
from saltern_master.targeting import TargetError, choose

KINDS: Final = tuple(sorted({name.partition("/")[0] for name in BY_NAME}))
NATURES: Final = tuple(str(one) for one in Nature)


def names(query: DriftFollow) -> tuple[str, ...]:
    """Give the nodes that are named."""
    every = (one.strip() for one in query.node.split(","))
    return tuple(dict.fromkeys(one for one in every if one))


def read(query: DriftFollow, nodes: Iterable[NodeView], strange: Collection[str] = ()) -> DriftAsk:
    """Give what is asked, of these nodes; ServiceError (invalid), with all faults.

    `strange`: who is named and neither is nor was there.
    """
    nodes = tuple(nodes)
    there = (one.name for one in nodes)
    faults = [f"node: {no_such_node(strange, there)}"] if strange else []
    ask = DriftAsk(
        nodes=_nodes(query, nodes, faults),
        resource=query.resource,
        kind=query.kind,
        nature=query.nature,
        since=_moment("since", query.since, faults),
        until=_moment("until", query.until, faults),
        incident=query.incident,
    )
    faults += [*_wrong_kind(query.kind), *_wrong_nature(query.nature)]
    if ask.since and ask.until and ask.until <= ask.since:
        faults.append("until: it is not after since, so nothing is between them")
    if faults:
        count = f"{len(faults)} fault{'' if len(faults) == 1 else 's'}"
        raise ServiceError("invalid", f"cannot look for this drift: {count}", tuple(faults))
    return ask


def read_list(
    query: DriftQuery, nodes: Iterable[NodeView], strange: Collection[str] = ()
) -> DriftAsk:
    """Give what is asked of a list, as read() does."""
    ask = read(query, nodes, strange)
    return replace(ask, open=query.open, most=query.most, before=query.before)


def _nodes(
    query: DriftFollow, nodes: Iterable[NodeView], faults: list[str]
) -> frozenset[str] | None:
    named = frozenset(names(query))
    if not query.target.strip():
        return named or None
    try:
        meant = frozenset(choose(query.target, map(subject, nodes)))
    except TargetError as error:
        faults += [f"target: {one}" for one in error.faults]
        return frozenset()
    return meant & named if named else meant


def _wrong_kind(kind: str) -> list[str]:
    if not kind or kind in KINDS or kind in BY_NAME:
        return []
    near = did_you_mean(kind, {*KINDS, *BY_NAME})
    return [f"kind: there is no {printable(kind)}{near}; kinds: {', '.join(KINDS)}"]


def _wrong_nature(nature: str) -> list[str]:
    if not nature or nature in NATURES:
        return []
    return [f"nature: there is no {printable(nature)}; natures: {', '.join(NATURES)}"]


def _moment(name: str, text: str, faults: list[str]) -> float:
    """Read a time; 0 for none."""
    if not text:
        return 0.0
    for way in (float, _iso):
        seconds = _tried(way, text)
        if seconds is not None:
            return seconds
    faults.append(
        f"{name}: {printable(text)} is no time; write seconds since 1970, or such as "
        "2026-11-23T05:00:00Z"
    )
    return 0.0


def _tried(way: Callable[[str], float], text: str) -> float | None:
    try:
        seconds = way(text)
    except (ValueError, OverflowError):
        return None
    return seconds if math.isfinite(seconds) and 0 <= seconds <= LAST_SECOND else None


def _iso(text: str) -> float:
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()
