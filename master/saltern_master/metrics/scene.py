"""What the numbers are taken from: what the API shows, and what it does not."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from saltern_master.api.rollouts import RolloutView
from saltern_master.api.service import ClusterView
from saltern_master.metrics.tally import Counts, Told
from saltern_master.records.certificates import Certified


class Scene(Struct, frozen=True, kw_only=True):
    """How things stand at one moment (`now`, in seconds since 1970)."""

    now: float
    release: str
    cluster: ClusterView
    drift: tuple[Told, ...] = ()  # open
    rollout: RolloutView | None = None  # the one that is not over, or the newest
    certificates: tuple[Certified, ...] = ()
    ends: Mapping[str, float] = {}  # of root and policy
    unheard: Mapping[str, int] = {}
    waiting: Mapping[str, int] = {}  # notifications, by receiver
    counts: Counts = Counts()
