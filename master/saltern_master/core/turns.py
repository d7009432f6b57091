"""Turns: an apply or a removal, which nodes it waits for, and how each of them ended.

    waiting -> converged | changed | failed | blocked | refused    the node said so
    waiting -> unreachable     not connected, and not back within the grace; who said that it goes
                               away to become another release has longer, once
    waiting -> expired         no sign of progress within the deadline, or over the longest life
    waiting -> superseded      a newer turn asks for the same node
    unreachable, expired -> any end that the node tells later

* A turn is a frozen value; each step gives the next one, or the very same where nothing moved.
* What ended stays as it is, but for the two ends that only the master's patience made.
* A turn has ended once nobody is waited for; a node's later word changes its line, not the end.
* Time is an argument: seconds since 1970. The same turn and times give the same result, so a
  core that was started again goes on where the store says it stood.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

import msgspec
from msgspec.structs import replace

from saltern_master.api.service import HindranceView, Result, TurnNode, TurnView

MOST_TOLD = 3
"""Resources that are named where one line says why."""
SUPERSEDED = "a newer turn asks for this node"
UPGRADES = "it upgrades its agent"
NOT_BACK_YET = "it went away to upgrade its agent, and is not back after {seconds:.0f} s"
NOT_BACK = "it is not connected; it gets its document when it comes back"
LEAVES_LATER = (
    "it is not connected, so nothing can be taken back there until it comes back; if it never "
    "does: saltern node remove {node} --forget"
)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How patient a turn is, in seconds."""

    grace: float = 5.0
    """For a node that is not connected, counted from the turn's beginning or from its leaving."""
    upgrade: float = 300.0
    """For one whose agent upgrades itself, counted from when it said so: dpkg there and back, and
    the minute in between."""
    deadline: float = 600.0
    """Without a sign of progress."""
    longest: float = 6 * 3600.0
    """Whatever the signs: a node that works for ever is not waited for for ever."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How one node stands. Times are seconds since 1970; 0: not yet."""

    result: Result = "waiting"
    version: int = 0  # 0: it has not been asked yet
    changes: int = 0
    moved: float = 0.0  # its last sign of progress
    ended: float = 0.0
    upgrades: float = 0.0  # when it said that it goes away to become another release
    why: str = ""
    hindrances: tuple[HindranceView, ...] = ()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. `nodes` is never changed in place."""

    number: int
    revision: int
    began: float
    purpose: Literal["apply", "remove", "rollout"] = "apply"
    rollout: int = 0  # whose documents these are; 0: of none
    ended: float = 0.0  # 0: not yet
    notes: tuple[str, ...] = ()
    nodes: Mapping[str, Standing] = {}

    def waits_for(self, node: str) -> bool:
        """Tell whether this node's end is still to come."""
        standing = self.nodes.get(node)
        return standing is not None and standing.result == "waiting"

    def asks(self, node: str) -> bool:
        """Tell whether this node is to be told of the turn."""
        return self.wants(node) and self.nodes[node].version > 0

    def wants(self, node: str) -> bool:
        """Tell whether this node's word would still change how it stands."""
        standing = self.nodes.get(node)
        return standing is not None and is_open(standing.result)


def is_open(result: Result) -> bool:
    """Tell whether what the node says now would still count."""
    return result in {"waiting", "unreachable", "expired"}


def begin(
    number: int,
    revision: int,
    now: float,
    wanted: Mapping[str, int],
    settled: Mapping[str, Standing],
    notes: tuple[str, ...] = (),
) -> Turn:
    """Begin a turn. `wanted`: the version for each node; `settled`: who cannot have one, why."""
    nodes = {name: Standing(version=version, moved=now) for name, version in wanted.items()}
    lost = {name: replace(one, ended=now) for name, one in settled.items()}
    turn = Turn(number=number, revision=revision, began=now, notes=notes, nodes=nodes | lost)
    return _closed(turn, now)


def end(turn: Turn, node: str, told: Standing, now: float) -> Turn:
    """Take a node's word on how its part ended."""
    if not turn.wants(node):
        return turn
    return _with(turn, {node: replace(told, ended=now)}, now)


def progressed(turn: Turn, node: str, now: float) -> Turn:
    """Take a sign that a node is at work: its deadline counts from now."""
    if not turn.waits_for(node):
        return turn
    return _with(turn, {node: replace(turn.nodes[node], moved=now)}, now)


def upgrades(turn: Turn, node: str, now: float) -> Turn:
    """Take a node's word that it goes away to become another release; the first one counts."""
    if not turn.waits_for(node) or turn.nodes[node].upgrades:
        return turn
    return _with(turn, {node: replace(turn.nodes[node], upgrades=now, why=UPGRADES)}, now)


def supersede(turn: Turn, nodes: Iterable[str], now: float) -> Turn:
    """A newer turn asks for these nodes: this one waits for them no more."""
    changed = {
        name: replace(turn.nodes[name], result="superseded", ended=now, why=SUPERSEDED)
        for name in nodes
        if turn.wants(name)
    }
    return _with(turn, changed, now)


def pass_time(turn: Turn, gone: Mapping[str, float], now: float, limits: Limits) -> Turn:
    """End what patience ends. `gone`: since when nodes are not connected."""
    changed = {
        name: _impatient(turn, name, gone, now, limits)
        for name, standing in turn.nodes.items()
        if standing.result == "waiting" and _due(turn, name, gone, limits) <= now
    }
    return _with(turn, changed, now)


def reset(turn: Turn, later: float, now: float) -> Turn:
    """Go on after the clock was set: what was waited for so long is waited for as long still.

    `later`: by how much it was set forward. A time that is still to come is now instead: so it is
    of one that was set back, and of what was noted since.
    """
    nodes = {
        name: _reset(one, later, now) if one.result == "waiting" else one
        for name, one in turn.nodes.items()
    }
    return replace(turn, began=min(turn.began + later, now), nodes=nodes)


def _reset(one: Standing, later: float, now: float) -> Standing:
    upgrades = min(one.upgrades + later, now) if one.upgrades else 0.0
    return replace(one, moved=min(one.moved + later, now), upgrades=upgrades)


def next_due(turn: Turn, gone: Mapping[str, float], limits: Limits) -> float | None:
    """Give when pass_time() will next change something; None: never, as things stand."""
    waiting = (name for name, one in turn.nodes.items() if one.result == "waiting")
    return min((_due(turn, name, gone, limits) for name in waiting), default=None)


def view_of(turn: Turn) -> TurnView:
    """Give a turn as people are shown it."""
    return TurnView(
        turn=turn.number,
        revision=turn.revision,
        began=turn.began,
        ended=turn.ended,
        notes=turn.notes,
        nodes=tuple(node_view(turn, name) for name in sorted(turn.nodes)),
    )


def node_view(turn: Turn, node: str) -> TurnNode:
    """Give one line of it."""
    one = turn.nodes[node]
    return TurnNode(
        node=node,
        result=one.result,
        version=one.version,
        changes=one.changes,
        seconds=max(0.0, one.ended - turn.began) if one.ended else 0.0,
        why=one.why,
        hindrances=one.hindrances,
    )


def why_of(standing: Standing) -> str:
    """Say why a node stands so: what it said itself, or which resources it could not have."""
    told = [f"{one.resource}: {one.why}" for one in standing.hindrances]
    more = f"; and {len(told) - MOST_TOLD} more" if len(told) > MOST_TOLD else ""
    return standing.why or "; ".join(told[:MOST_TOLD]) + more


def not_reached(turn: Turn, node: str) -> str:
    """Say of a node that is not connected what that means for a turn, and what can be done."""
    return LEAVES_LATER.format(node=node) if turn.purpose == "remove" else NOT_BACK


def _due(turn: Turn, node: str, gone: Mapping[str, float], limits: Limits) -> float:
    moved = max(turn.began, turn.nodes[node].moved)
    due = min(moved + limits.deadline, turn.began + limits.longest)
    if node in gone:
        return min(due, _back_by(turn, node, gone, limits))
    return due


def _back_by(turn: Turn, node: str, gone: Mapping[str, float], limits: Limits) -> float:
    """Give until when a node that is not connected is waited for."""
    back, said = max(turn.began, gone[node]) + limits.grace, turn.nodes[node].upgrades
    return max(back, said + limits.upgrade) if said else back


def _impatient(
    turn: Turn, node: str, gone: Mapping[str, float], now: float, limits: Limits
) -> Standing:
    standing = turn.nodes[node]
    if node in gone and _back_by(turn, node, gone, limits) <= now:
        said = standing.upgrades
        why = NOT_BACK_YET.format(seconds=now - said) if said else not_reached(turn, node)
        return replace(standing, result="unreachable", ended=now, why=why)
    silent = max(0.0, now - max(turn.began, standing.moved))
    why = f"it told no end and no progress for {silent:.0f} s; see saltern-agent status there"
    return replace(standing, result="expired", ended=now, why=why)


def _with(turn: Turn, changed: Mapping[str, Standing], now: float) -> Turn:
    if not changed:
        return turn
    return _closed(replace(turn, nodes={**turn.nodes, **changed}), now)


def _closed(turn: Turn, now: float) -> Turn:
    """Note the end, once, when nobody is waited for."""
    if turn.ended or any(one.result == "waiting" for one in turn.nodes.values()):
        return turn
    return replace(turn, ended=now)
