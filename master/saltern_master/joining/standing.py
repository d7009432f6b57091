"""Whether a machine may become a node of that name, as both it and the master tell. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from saltern_protocol.documents import Identity

from saltern_master.api.service import NodeView
from saltern_master.joining.looking import Seen

IS_ONE = ("joined", "locked", "removing")
"""States of a node whose name nobody else gets."""


@dataclass(frozen=True, slots=True)
class Way:
    """How it becomes the node: it joins; it joins anew, as what the master removed; it is it."""

    kind: Literal["join", "anew", "same"]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Why it may not, and what to do."""

    why: str


def way_of(name: str, seen: Seen, cluster: str, known: NodeView | None) -> Way | Conflict:
    """Say how a machine becomes a node. `known`: what the master has under that name."""
    taken = known is not None and known.state in IS_ONE
    if seen.identity is None:
        return Conflict(_is_another(name)) if taken else Way("join")
    if (seen.identity.cluster, seen.identity.node) != (cluster, name):
        return Conflict(_is_elsewhere(seen.identity, cluster))
    if known is None or not taken:
        return Way("anew")
    if known.incarnation != seen.identity.incarnation:
        return Conflict(f"it was {name} once, and another machine is by now; {_to_take_over(name)}")
    return _as_it_is(name, known)


def _as_it_is(name: str, known: NodeView) -> Way | Conflict:
    if known.state == "joined":
        return Way("same")
    if known.state == "locked":
        return Conflict(f"it is {name}, and locked: two machines have its key; see to that first")
    return Conflict(f"it is {name}, and being removed; wait for the end of that: saltern status")


def _is_another(name: str) -> str:
    return f"the master has a node {name}, and this machine is none; {_to_take_over(name)}"


def _to_take_over(name: str) -> str:
    return f"take another name (NAME=HOST), or have that one leave: saltern node remove {name}"


def _is_elsewhere(identity: Identity, cluster: str) -> str:
    if identity.cluster == cluster:
        return (
            f"it is node {identity.node} of this cluster already; it leaves by: "
            f"saltern node remove {identity.node} --clean"
        )
    return (
        f"it is node {identity.node} of cluster {identity.cluster}; it leaves by that master's "
        f"saltern node remove {identity.node} --clean"
    )
