"""Which node has its turn in which wave.

* Who is not connected comes last, so that it is no canary.
* A node that stands in harm's way already (`down`) comes first: it can only gain.
* The control plane goes node by node, each a wave of its own, before the workers where
  Kubernetes' version rises (the API server may be newer than kubelets, never older), else after
  them: what is wrong is better found on a worker.
  Source: kubernetes.io/releases/version-skew-policy
* Workers go by failure domain: a wave spoils one zone before it touches the next.
* Every candidate is in exactly one wave, and equal candidates give equal waves.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from saltern_master.rollouts.strategy import Strategy, number

Impact = Literal["none", "reload", "restart", "drain", "reboot", "unknown"]
HARMS: frozenset[Impact] = frozenset({"restart", "drain", "reboot", "unknown"})
DRAINS: frozenset[Impact] = frozenset({"drain", "reboot"})


class Candidate(Struct, frozen=True, kw_only=True):
    """A node that a rollout is to change."""

    name: str
    group: str = "worker"  # whose max_unavailable counts
    zone: str = ""
    control_plane: bool = False  # has part in the control plane, or in etcd
    impact: Impact = "unknown"
    down: bool = False  # it serves nobody now
    away: bool = False  # it is not connected
    cordoned: bool = False  # by the rollout that is taken back


def waves(
    candidates: Iterable[Candidate], strategy: Strategy, control_plane_first: bool
) -> tuple[tuple[str, ...], ...]:
    """Give the waves, by names."""
    everybody = sorted(candidates, key=lambda one: (one.away, one.zone, one.name))
    down = tuple(one.name for one in everybody if one.down)
    rest = [one for one in everybody if not one.down]
    single = [(one.name,) for one in rest if one.control_plane]
    workers = _grown([one.name for one in rest if not one.control_plane], strategy)
    parts = (single, workers) if control_plane_first else (workers, single)
    return tuple(wave for part in ([down], *parts) for wave in part if wave)


def _grown(names: list[str], strategy: Strategy) -> list[tuple[str, ...]]:
    """Cut into the canary and what each wave reaches to."""
    ends = [number(strategy.canary, len(names))]
    ends += [number(share, len(names)) for share in strategy.waves]
    cut, begin = [], 0
    for end in ends:
        if end > begin:
            cut.append(tuple(names[begin:end]))
            begin = end
    return cut
