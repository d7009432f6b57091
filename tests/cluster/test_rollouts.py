"""A rollout stops where harm begins, and goes back by itself; who was not reached never saw it."""

from __future__ import annotations

import json

import pytest

from tests.cluster.cluster import Cluster, Json

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

CONFIG = "/var/lib/kubelet/config.yaml"
QUICK = ("--soak", "1s", "--hold", "2s", "--patience", "60s")


def test_a_wrong_kubelet_stops_at_the_canary_and_is_undone(cluster: Cluster) -> None:
    runs = {name: cluster.invocations(name) for name in ("cp1", "w2")}
    versions = {name: one["version"] for name, one in cluster.status().items()}
    began = ["--canary", "1", "--waves", "100%", "--on-spent", "undo", *QUICK]
    wrong = cluster.edited("maxPods: 60", "maxPods: -1")  # which no kubelet starts with
    done = cluster.fleet.try_saltern(
        "rollout", "start", "--file", str(wrong), *began, "--output", "json"
    )
    assert done.returncode == 1, done.stderr

    undo, first = rollouts(cluster)[:2]
    assert undo["undoes"] == first["rollout"]
    assert first["undoneBy"] == undo["rollout"]
    whole = nodes_of(cluster, first["rollout"])
    assert whole["w1"]["stage"] == "failed", whole
    assert whole["w2"]["stage"] == "waiting", "it had its turn only after the canary"
    cluster.wait("the undo to be done", lambda: rollouts(cluster)[0]["phase"] == "done")
    assert set(nodes_of(cluster, undo["rollout"])) == {"w1"}

    cluster.settle()
    assert "maxPods: 60" in cluster.say("w1", "cat", CONFIG).replace('"', "")
    after = {name: one["version"] for name, one in cluster.status().items()}
    assert (after["cp1"], after["w2"]) == (versions["cp1"], versions["w2"])
    assert {name: cluster.invocations(name) for name in runs} == runs
    assert cluster.apply().changes == dict.fromkeys(after, 0)


def rollouts(cluster: Cluster) -> list[Json]:
    """List rollouts, the newest first."""
    done = cluster.fleet.try_saltern("rollout", "list", "--output", "json")
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


def nodes_of(cluster: Cluster, number: int) -> dict[str, Json]:
    """Give how each node of a rollout stands."""
    found = cluster.fleet.ask("rollout", "show", str(number))
    return {one["node"]: one for one in found["nodes"]}
