"""A node leaves: emptied, bare again, forgotten by all; then it joins anew and all is whole.

This is the last file of a run (its name sorts last): it makes w2 anew.
"""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from functools import partial

import pytest

from tests.cluster.cluster import Cluster, Json
from tests.cluster.pods import Pods
from tests.lab.snapshot import difference

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600, func_only=True)]

OTHERS = ("cp1", "w1")
STAYS = (
    # kubelet and kube-proxy leave their chains, and the jumps there, to the next boot.
    "chain* filter *",
    "chain* mangle *",
    "chain* nat *",
    "path /var/lib/kubelet",
    # A parameter that is no longer declared keeps its last value.
    "sysctl net.*",
    # What came with a package stays, since others may need it by now; so do configuration files.
    "package *",
    "path /etc/cni*",
    "path /etc/containerd*",
    "path /etc/default/docker",
    "path /etc/docker*",
    "path /etc/*group*",
    "path /etc/*shadow*",
    "path /etc/hosts.*",
    "path /etc/init.d/docker",
    "path /etc/rc?.d/?01docker",
    "path /etc/ld.so.cache",
    "path /etc/network*",
    "path /etc/systemd/system/*.wants",
    "path /etc/systemd/system/*.wants/containerd.service",
    "path /etc/systemd/system/*.wants/docker.socket",
    "unit* containerd.service",
    # The agent was installed before it joined, and has no cluster now. Its keys are the machine's.
    "path /etc/saltern*",
    "path /etc/systemd/system/*.wants/saltern-agent.service",
    "unit* saltern-agent.service",
)
"""What a machine that has left has and did not have when it was bare, and why."""

PODS_AND_RULES = ("chain *", "container *", "link veth*")
"""What Kubernetes moves on a node when pods come and go."""


def test_a_node_leaves_and_joins_anew(cluster: Cluster, pods: Pods) -> None:
    before = {name: cluster.snapshot(name) for name in OTHERS}
    runs = {name: cluster.invocations(name) for name in OTHERS}
    old, drift = cluster.status()["w2"], cluster.drift("w1")
    (uid,) = [one["metadata"]["uid"] for one in nodes(cluster) if name_of(one) == "w2"]
    pods.deploy("shop", "w2")

    turn = cluster.turn("node", "remove", "w2", "--yes")
    assert turn.status == 0, turn.told
    assert turn.results == {"w2": "changed"}
    (pod,) = cluster.wait("the pod to be on w1", lambda: pods.ready_of("shop"))
    assert pod["spec"]["nodeName"] == "w1"
    after = cluster.snapshot("w2")
    left = difference(cluster.bare, after)
    strange = {name: sign for name, sign in left.items() if not is_foreseen(name, STAYS)}
    # Another run of a service of the machine's own: it has booted since.
    assert [name for name, sign in strange.items() if f"{sign}{name[:5]}" != "~unit "] == []
    assert "-" not in left.values(), "nothing is gone that the machine had"
    ours = [name for name, what in after.items() if name.startswith("chain") and "SALTERN" in what]
    assert ours == []

    cluster.wait("w2 to be forgotten", lambda: "w2" not in map(name_of, nodes(cluster)))
    assert set(cluster.status()) == set(OTHERS)
    route = f"route main unicast {old['pods']} 0"
    for name in OTHERS:
        cluster.wait("the route to go", partial(lacks_route, cluster, name, old["pods"]))
        moved = difference(before[name], cluster.snapshot(name))
        assert moved.pop(route) == "-"
        assert [one for one in moved if not is_foreseen(one, PODS_AND_RULES)] == []
        assert cluster.invocations(name) == runs[name]
    assert cluster.drift("w1") == drift

    cluster.wait("its agent to end", partial(is_at_rest, cluster, "w2"))
    cluster.fleet.join("w2", "worker")
    cluster.settle()
    new = cluster.status()["w2"]
    assert new["incarnation"] != old["incarnation"]
    assert new["fingerprint"] == old["fingerprint"], "the machine is the same"
    (node,) = [one for one in nodes(cluster) if name_of(one) == "w2"]
    assert node["metadata"]["uid"] != uid
    assert node["spec"]["podCIDR"] == new["pods"]
    assert not node["spec"].get("unschedulable")
    for name in OTHERS:
        assert not lacks_route(cluster, name, new["pods"])
        assert cluster.invocations(name) == runs[name]
    echo = pods.echo("echo", "w2")
    said, own = pods.ask("asks", "w1", echo["status"]["podIP"], 8080)
    assert f"client {own}" in said.splitlines()
    pods.clear()
    assert cluster.apply().changes == {"cp1": 0, "w1": 0, "w2": 0}


def nodes(cluster: Cluster) -> list[Json]:
    """Give the Node objects; asked again while the API server is busy."""
    return cluster.wait("the API server", lambda: cluster.objects("nodes"))


def name_of(thing: Json) -> str:
    """Give an object's name."""
    return str(thing["metadata"]["name"])


def lacks_route(cluster: Cluster, node: str, destination: str) -> bool:
    """Ask a node's kernel."""
    routes = json.loads(cluster.say(node, "ip", "-j", "-4", "route"))
    return destination not in [one["dst"] for one in routes]


def is_at_rest(cluster: Cluster, node: str) -> bool:
    """Tell whether the agent has ended by itself, and nothing starts it again."""
    said = cluster.say(node, "sh", "-c", "systemctl is-active saltern-agent; :")
    return said.strip() == "inactive"


def is_foreseen(name: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the patterns fits."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)
