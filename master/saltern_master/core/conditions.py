"""How nodes' parts are: taken from what they tell, and shown. Pure.

* What a node tells is known at once, and written where it says something else than the store, at
  most once in WRITE_EVERY seconds for each node: what came too soon is written with its next word.
* A node that is not connected is unknown in all its parts, from when it was last heard; what it
  told last stands in the reason.
* What a node tells comes in its order (heavy.py), whatever its clock says: the last word counts.
* Times that people are shown are the master's, whatever a node's clock says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from saltern_protocol import messages
from saltern_protocol.condition import Part, State

from saltern_master.api.service import FindingView, PartView
from saltern_master.core.peer import Peer
from saltern_master.records.condition import Condition, condition_of, put_condition
from saltern_master.store import Write

WRITE_EVERY: Final = 2.0
ALARM_AFTER: Final = 60.0
"""Seconds that a part is bad before it is an alarm: what restarts is not one."""
MORE: Final[Mapping[str, str]] = {
    "machine": "uptime; free -m; ps aux --sort=-%mem",
    "disk": "df -h; df -i",
    "clock": "timedatectl",
    "static-pods": "docker ps -a; journalctl -u kubelet -n 50",
    "etcd": "docker ps -a --filter name=etcd; journalctl -u kubelet -n 50",
    "certificates": "journalctl -u saltern-agent -n 50; saltern-agent status",
}
"""What shows more of a part that is no unit."""


def taken(peer: Peer, told: messages.Condition, now: float) -> tuple[Peer, tuple[Write, ...]]:
    """Take what a node tells; give the peer, and what is to be written."""
    condition = condition_of(peer.node.name, told, now)
    return written(replace(peer, condition=condition), now)


def written(peer: Peer, now: float) -> tuple[Peer, tuple[Write, ...]]:
    """Give what of a node's condition is to be written now; of it alone nothing is left to be."""
    condition, kept = peer.condition, peer.condition_kept
    if condition is None or condition.says(kept):
        return peer, ()
    if kept is not None and 0 <= now - kept.seen_at < WRITE_EVERY:
        return peer, ()
    return replace(peer, condition_kept=condition), (put_condition(condition),)


@dataclass(frozen=True, slots=True)
class Ailing:
    """A part that has been bad for long."""

    node: str
    part: Part
    since: float


def ailing(peers: Mapping[str, Peer], now: float) -> Iterator[tuple[str, tuple[Ailing, ...]]]:
    """Give the connected nodes of which a part has been bad for ALARM_AFTER seconds, by name."""
    for name, peer in sorted(peers.items()):
        condition = peer.condition
        if not peer.session.greeted or condition is None:
            continue
        found = tuple(
            Ailing(name, one, condition.since(one))
            for one in condition.parts
            if one.state is State.BAD and now - condition.since(one) >= ALARM_AFTER
        )
        if found:
            yield name, found


def more_of(part: str) -> str:
    """Give the command that shows more of a part, for who is on the node."""
    return MORE.get(part, f"systemctl status {part}; journalctl -u {part} -n 50")


def part_views(
    condition: Condition | None, connected: bool, seen_at: float
) -> tuple[PartView, ...]:
    """Give a node's parts as people are shown them."""
    if condition is None:
        return ()
    if connected:
        return tuple(
            PartView(name=one.name, state=one.state.value, why=one.why, since=condition.since(one))
            for one in condition.parts
        )
    return tuple(
        PartView(name=one.name, state=State.UNKNOWN.value, why=_was(one), since=seen_at)
        for one in condition.parts
    )


def _was(part: Part) -> str:
    why = f": {part.why}" if part.why else ""
    return f"the node is not connected; it was {part.state.value}{why}"


def finding_views(condition: Condition | None) -> tuple[FindingView, ...]:
    """Give the traps that stood open on a node when it was last heard."""
    return tuple(
        FindingView(trap=one.trap, what=one.what, remedy=one.remedy, bad=one.bad)
        for one in (condition.findings if condition is not None else ())
    )
