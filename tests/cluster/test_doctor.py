"""A healthy cluster has no trap: not by the doctor on each node, and not by the master's."""

from __future__ import annotations

import json
import re

import pytest

from tests.cluster.cluster import NAMES, Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

HEALTHY = re.compile(
    r"no trap found on 3 nodes \(files, nodes, between nodes; told \d+ (s|min) ago\)\n\Z"
)


def test_the_doctor_finds_nothing_on_any_node(cluster: Cluster) -> None:
    for name in NAMES:
        done = cluster.run(name, "saltern-agent", "doctor", "--output", "json")
        assert (name, json.loads(done.stdout)) == (name, [])
        assert done.returncode == 0


def test_the_doctor_finds_nothing_in_the_whole(cluster: Cluster) -> None:
    def all_told() -> bool:
        done = cluster.fleet.try_saltern("doctor", "--output", "json")
        return bool(done.stdout) and all(one["toldAt"] for one in json.loads(done.stdout)["nodes"])

    cluster.wait("all nodes to have told", all_told)
    done = cluster.fleet.try_saltern("doctor")
    assert HEALTHY.match(done.stdout), done.stdout
    assert done.returncode == 0, done.stderr
    done = cluster.fleet.try_saltern("doctor", "--file", str(cluster.fleet.cluster), "w1")
    assert done.returncode == 0, done.stdout


def test_a_trap_on_a_node_comes_to_the_master(cluster: Cluster) -> None:
    """An agent looks every five minutes, after an apply that brings something, and at its start."""
    cluster.say("w2", "ip", "link", "add", "cni0", "type", "bridge")
    cluster.say("w2", "ip", "address", "add", "10.244.1.1/24", "dev", "cni0")
    try:
        cluster.say("w2", "systemctl", "restart", "saltern-agent")

        def told() -> bool:
            done = cluster.fleet.try_saltern("doctor", "w2")
            return done.returncode == 1 and "! stale-bridge: cni0 is left" in done.stdout

        cluster.wait("the master to name it", told)
        assert cluster.fleet.try_saltern("doctor", "w1").returncode == 0
    finally:
        cluster.say("w2", "ip", "link", "delete", "cni0")
        cluster.say("w2", "systemctl", "restart", "saltern-agent")
    cluster.wait("it to be gone", lambda: cluster.fleet.try_saltern("doctor").returncode == 0)
