"""What core knows -> the scene that /metrics is measured from, and what notifications look at.

It reads the store once for certificates and once for the newest rollout; nothing is kept.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import ClusterView
from saltern_master.core.driving.driven import head_view
from saltern_master.core.office import Office
from saltern_master.core.views import drift_view
from saltern_master.metrics.measure import measure
from saltern_master.metrics.scene import Scene
from saltern_master.metrics.text import exposition
from saltern_master.notify.troubles import Known
from saltern_master.records.certificates import every_certificate
from saltern_master.records.rollouts import newest_heads

NEWEST: Final = 20
"""Rollouts that notifications look at: more do not end between two looks."""


def scene_of(office: Office, cluster: ClusterView) -> Scene:
    """Give how things stand. StoreError."""
    authority, seen = office.rolling.signer.authority, office.desk.seen
    return Scene(
        now=office.clock(),
        release=version("saltern-master"),
        cluster=cluster,
        drift=tuple(one for peer in office.known.peers.values() for one in peer.drift.values()),
        rollout=_rollout(office),
        certificates=every_certificate(office.store),
        ends={"root": float(authority.root.expires), "policy": float(authority.policy.expires)},
        unheard=dict(seen.counts),
        waiting=office.notifying.waiting,
        counts=seen.tally.counts,
    )


def told(scene: Scene, accept: str) -> tuple[bytes, str]:
    """Give the text of a scene, and its media type. It takes a while: not for the event loop."""
    return exposition(measure(scene), accept)


def known_of(office: Office, cluster: ClusterView, rollouts: tuple[RolloutView, ...]) -> Known:
    """Give what notifications are decided by."""
    drift = (
        drift_view(one, peer.node.incarnation)
        for peer in office.known.peers.values()
        for one in peer.drift.values()
    )
    return Known(cluster=cluster, drift=tuple(drift), rollouts=rollouts)


def _rollout(office: Office) -> RolloutView | None:
    going = office.driving.book.going
    heads = (going.head,) if going is not None else newest_heads(office.store, 1)
    return head_view(heads[0]) if heads else None
