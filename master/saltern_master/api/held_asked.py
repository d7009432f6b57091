"""Whom a question about holds means: by name, by a target, or all. Pure; every fault at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from saltern_master.api.holds import HoldAsk, ReleaseAsk
from saltern_master.api.service import NodeView, ServiceError
from saltern_master.named import no_such_node, some
from saltern_master.subjects import subject
from saltern_master.targeting import TargetError, choose

SPEAKING = ("joined", "removing", "locked")


def held_by(ask: HoldAsk, nodes: Iterable[NodeView]) -> tuple[str, ...]:
    """Name who is to be held. ServiceError."""
    _one_way(bool(ask.nodes), bool(ask.target.strip()))
    members = [one for one in nodes if one.state in SPEAKING]
    if not ask.nodes:
        return _meant(ask.target, members)
    known = {one.name for one in members}
    strange = [one for one in dict.fromkeys(ask.nodes) if one not in known]
    if strange:
        raise ServiceError("invalid", f"cannot hold {no_such_node(strange, known)}")
    return tuple(dict.fromkeys(ask.nodes))


def released_by(
    ask: ReleaseAsk, nodes: Iterable[NodeView], held: Mapping[str, object]
) -> tuple[str, ...]:
    """Name who is to be held no longer, of those that a person holds. ServiceError."""
    names = [one for one in ask.nodes.split(",") if one]
    _one_way(bool(names), bool(ask.target.strip()), ask.all)
    if ask.all:
        return tuple(held)
    if names:
        _all_held(names, held)
        return tuple(dict.fromkeys(names))
    return tuple(one for one in _meant(ask.target, nodes) if one in held)


def _one_way(*ways: bool) -> None:
    if sum(ways) != 1:
        raise ServiceError("invalid", "cannot tell who is meant: name nodes, or give a target")


def _meant(target: str, nodes: Iterable[NodeView]) -> tuple[str, ...]:
    try:
        return choose(target, map(subject, nodes))
    except TargetError as error:
        raise ServiceError("invalid", str(error).partition("\n")[0], error.faults) from error


def _all_held(names: Iterable[str], held: Collection[str]) -> None:
    strange = [one for one in dict.fromkeys(names) if one not in held]
    if strange:
        why = "no person holds it; see: saltern drift holds"
        raise ServiceError("not-found", f"cannot release {some(strange)}: {why}")
