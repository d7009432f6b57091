"""The master is away while a node loses its pod bridge: the node heals alone, and tells it later.

SALTERN_AWAY says for how many seconds the master is away (`make test-away`: ten minutes).
"""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.cluster.cluster import NAMES, Cluster, Json, now
from tests.cluster.recollection import demand_no_holes, standing

AWAY = float(os.environ.get("SALTERN_AWAY", "10"))
BACK = 120.0  # seconds: an agent that tried in vain for long waits a minute before it tries again

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(AWAY + 300, func_only=True)]


def test_what_happened_meanwhile_is_told_with_its_true_times(cluster: Cluster) -> None:
    stood = standing(cluster)
    known = {(one["node"], one["number"]) for one in cluster.drift()}
    bridge = _bridge(cluster)
    assert bridge
    runs = {name: cluster.invocations(name) for name in ("cp1", "w1")}

    cluster.fleet.stop_master()
    until = time.monotonic() + AWAY
    try:
        began = now()
        cluster.say("w2", "ip", "link", "delete", "cbr0")
        record = cluster.wait("w2 to heal itself", lambda: _healed(cluster, began))
        assert _bridge(cluster) == bridge
        healed = now()
        cluster.wait("the time to pass", lambda: time.monotonic() >= until, AWAY + 1)
        back = now()
    finally:
        cluster.fleet.start_master()

    def told() -> list[Json] | None:
        new = [one for one in cluster.drift() if (one["node"], one["number"]) not in known]
        return new if any(one["resource"] == "network/cbr0" for one in new) else None

    new = cluster.wait("the master to be told", told, BACK)
    cluster.settle()
    (bridges,) = [one for one in new if one["resource"] == "network/cbr0"]
    assert bridges["number"] == record["seq"]
    assert bridges["outcome"] == "healed"
    assert began <= bridges["since"] <= bridges["recorded"] <= bridges["healed"] <= healed
    assert bridges["stored"] >= back
    assert {one["node"] for one in new} == {"w2"}
    assert standing(cluster) == stood
    for name in NAMES:
        demand_no_holes(cluster, name)
    for name, run in runs.items():
        assert cluster.invocations(name) == run, f"nothing of it concerned {name}"


def _healed(cluster: Cluster, began: float) -> Json | None:
    """Give what the node itself wrote down of the bridge, once it is over."""
    said = cluster.say("w2", "saltern-agent", "drift", "--output", "json")
    found = (json.loads(line) for line in said.splitlines())
    of_bridge = (one for one in found if one["resource"] == "network/cbr0")
    return next((one for one in of_bridge if one["since"] >= began and one["healed"]), None)


def _bridge(cluster: Cluster) -> list[tuple[str, int, bool]]:
    """Give the pod bridge's addresses and whether it is up, as the kernel has them."""
    done = cluster.run("w2", "ip", "-j", "-4", "address", "show", "cbr0")
    found = json.loads(done.stdout) if done.returncode == 0 else []
    return [
        (one["local"], one["prefixlen"], "UP" in link["flags"])
        for link in found
        for one in link["addr_info"]
    ]
