"""The bench's damages on a cluster's worker, once each: the master is told, the node mends them.

Those that the tutorial's cluster has the resources for; `make bench-drift` has them all, and times.
"""

from __future__ import annotations

import pytest
from saltern_master.bench.drift.__main__ import chosen
from saltern_master.bench.drift.measure import measure
from saltern_master.bench.site import site_of

from tests.cluster.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

DAMAGES = [
    "pod bridge deleted",
    "its promiscuity changed",
    "route removed",
    "own chain flushed",
    "jump moved",
    "docker restarted with other options",
    "image removed",
    "kubelet's binary replaced",
    "stray manifest added",
    "unit masked",
    "drop-in removed",
    "kernel parameter set",
    "key's mode loosened",
    "package removed",
]
SOON = 20.0  # seconds, on a machine that does other things too: goals are the bench's


def test_each_is_told_once_it_is_done_and_healed(cluster: Cluster) -> None:
    found = measure(cluster.fleet, site_of("a test"), 1, chosen(DAMAGES))
    assert [one.name for one in found.kinds] == DAMAGES
    for kind in found.kinds:
        (run,) = kind.runs
        assert run.begin <= run.since <= run.recorded <= run.stored <= run.heard, kind.name
        assert run.heard - run.begin < SOON, kind.name
        assert run.begin < run.healed < run.mended + SOON, kind.name
