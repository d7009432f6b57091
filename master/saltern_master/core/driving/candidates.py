"""Who takes part in a rollout, and what is known of each. Pure.

* Who keeps its body has no part in it: it is not restarted, drained or looked at.
* `down` is who serves nobody now: it has no document yet, or Kubernetes says that it is not Ready;
  where Kubernetes says nothing of it, who does not say `converged`, as long as that are few. What
  half of them say is of what they were given rather than of a machine: they go as all others do,
  by waves, or nothing would stop what harms them.
* Who cannot take its body (see core/rollout.py) is left out, and named in the notes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

from saltern_master.cluster.model import Cluster
from saltern_master.core.gates import Look
from saltern_master.core.peer import Peer
from saltern_master.core.turns import Standing
from saltern_master.rollouts.waves import Candidate, Impact

ZONES: Final = ("topology.kubernetes.io/zone", "zone")
CONTROL: Final = frozenset({"control-plane", "etcd"})


def candidates(
    names: Iterable[str],
    cluster: Cluster,
    peers: Mapping[str, Peer],
    gone: Collection[str],
    look: Look,
    impacts: Mapping[str, Impact],
) -> tuple[Candidate, ...]:
    """Give these nodes of a cluster file as a rollout takes them."""
    places = {node.name: node for node in cluster.nodes}
    here = [name for name in names if name in places and name in peers]
    down = _down({name: peers[name] for name in here if name not in gone}, look)
    return tuple(
        Candidate(
            name=name,
            group="bare" if node.is_bare else node.node_class,
            zone=next((node.labels[key] for key in ZONES if key in node.labels), ""),
            control_plane=bool(CONTROL & set(node.roles)),
            impact=impacts.get(name, "unknown"),
            down=name in down,
            away=name in gone,
        )
        for name in here
        for node in [places[name]]
    )


def of_nobody(groups: Iterable[str], who: Iterable[Candidate]) -> tuple[str, ...]:
    """Say which of a strategy's groups no node of a rollout is of: likely a slip of the pen."""
    there = {one.group for one in who}
    named = ", ".join(sorted(there))
    return tuple(
        f"maxUnavailable of {group} counts for nobody: the nodes of this rollout are of {named}"
        for group in sorted(set(groups) - there)
        if there
    )


def left_out(settled: Mapping[str, Standing]) -> tuple[str, ...]:
    """Say of those who cannot take their body why."""
    return tuple(f"{name} has no part in it: {one.why}" for name, one in sorted(settled.items()))


def rises(before: Cluster | None, after: Cluster) -> bool:
    """Tell whether Kubernetes' version becomes a newer one."""
    return before is not None and _version(before) < _version(after)


def _version(cluster: Cluster) -> tuple[int, ...]:
    return tuple(map(int, cluster.kubernetes.version.split(".")))


def _down(peers: Mapping[str, Peer], look: Look) -> frozenset[str]:
    """Name who serves nobody, of those who are connected."""
    ready = {name: look.is_ready(name) for name in peers}
    known = {name for name, peer in peers.items() if peer.document is None or ready[name] is False}
    unknown = [one for name, one in peers.items() if name not in known and ready[name] is None]
    unwell = {one.node.name for one in unknown if _is_unwell(one)}
    return frozenset(known | unwell if len(unwell) * 2 < len(unknown) else known)


def _is_unwell(peer: Peer) -> bool:
    return peer.health is not None and not peer.health.state.startswith("converged")
