"""Gates: what has to be so before a node counts as well, and whether etcd can do without one. Pure.

* The agent: connected, holds what it shall, says `converged` of that, and no drift is open. What a
  node's body has of docker and the kubelet is in that word: an inactive unit is drift. A node that
  is held leaves drift alone, so its gate waits for the hold's end, and says so.
* Kubernetes, where its API server answers and knows the node: Ready, and each mirror pod of a node
  that has part in the control plane is Ready too.
* etcd can do without a member that others outnumber: those who are well without it are a majority
  of all. Who is not well itself is no loss. Where there are fewer than three members nobody could
  ever be done without, so the others only have to be well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from saltern_master.core.held import WINDOW
from saltern_master.core.peer import IS_LOCKED, Peer
from saltern_master.kube.api import Object
from saltern_master.kube.drain import MIRROR
from saltern_master.kube.wishes import is_ready

FEW = 3
"""Members from which on etcd can do without one."""


@dataclass(frozen=True, slots=True)
class Look:
    """What Kubernetes says; nothing where no API server answers."""

    nodes: Mapping[str, Object] = field(default_factory=dict)
    pods: Mapping[str, tuple[Object, ...]] = field(default_factory=dict)  # of some nodes
    why: str = ""  # nothing is known

    def is_ready(self, name: str) -> bool | None:
        """Tell whether a node is Ready; None: it is not known."""
        node = self.nodes.get(name)
        return None if node is None else is_ready(node)


def agent(peer: Peer | None, connected: bool) -> str:
    """Say why a node's agent does not say that all is well; "": it does."""
    if is_locked(peer):
        return IS_LOCKED
    if peer is None or peer.node.state != "joined":
        return "it is no node any more"
    if not connected or not peer.session.greeted:
        return "it is not connected"
    if peer.is_behind:
        return "it does not have the document yet that it shall have"
    said = _said(peer)
    return f"{said}{_held(peer)}" if said else ""


def is_locked(peer: Peer | None) -> bool:
    """Tell whether a node is locked: until a person unlocks it, there is nothing to wait for."""
    return peer is not None and peer.node.state == "locked"


def _said(peer: Peer) -> str:
    health = peer.health
    if peer.is_ahead:
        return "it has a document that this master's store does not know"
    if health is None or health.version != peer.session.held:
        return "its agent has not said yet how it is"
    if not health.state.startswith("converged"):
        return f"its agent says: {health.state}"
    return f"{', '.join(sorted(peer.drift)[:3])} drifted" if peer.drift else ""


def _held(peer: Peer) -> str:
    """Say what keeps a node from setting its drift right."""
    held = peer.hold  # it is taken away when it is over (holding.py)
    if held is None or peer.session.hold is None or not peer.drift:
        return ""
    until = datetime.fromtimestamp(held.until, UTC)
    return (
        f", and is left alone until {until:%Y-%m-%dT%H:%M:%SZ}: the node is held by {held.by} "
        f"({held.why}); {_remedy(peer.node.name, held.by)}"
    )


def _remedy(name: str, by: str) -> str:
    if by.startswith(WINDOW):
        return "wait for the window's end"
    return f"wait, or: saltern drift release {name}"


def kubernetes(name: str, control_plane: bool, look: Look) -> str:
    """Say why Kubernetes does not take a node for well; "": it does, or knows nothing of it."""
    node = look.nodes.get(name)
    if node is None:
        return ""
    if not is_ready(node):
        return f"Kubernetes does not call it Ready{_reason(node)}"
    if not control_plane:
        return ""
    bad = [one["metadata"]["name"] for one in _mirrors(look.pods.get(name, ())) if not _runs(one)]
    return f"not Ready: {', '.join(sorted(bad))}" if bad else ""


def quorum(name: str, members: Mapping[str, str]) -> str:
    """Say why etcd cannot do without this node; "": it can. `members`: each one's why not well."""
    if name not in members or members[name]:
        return ""
    others = {one: why for one, why in members.items() if one != name}
    well = [one for one, why in others.items() if not why]
    needed = len(members) // 2 + 1 if len(members) >= FEW else len(others)
    if len(well) >= needed:
        return ""
    bad = "; ".join(f"{one}: {why}" for one, why in sorted(others.items()) if why)
    return f"{len(well)} of {len(members)} members would be well, and {needed} have to be: {bad}"


def _reason(node: Object) -> str:
    conditions = node.get("status", {}).get("conditions", ())
    said = [one.get("message") or one.get("reason") for one in conditions if one["type"] == "Ready"]
    return f": {said[0]}" if said and said[0] else ""


def _mirrors(pods: Iterable[Object]) -> Iterable[Object]:
    return (one for one in pods if MIRROR in (one["metadata"].get("annotations") or {}))


def _runs(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
