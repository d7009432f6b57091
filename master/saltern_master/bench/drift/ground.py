"""The ground of the drift's benches: a control plane and a worker that have joined a master."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from saltern_master.api.client import Client
from saltern_master.api.drift_requests import DriftQuery
from saltern_master.api.service import DriftView
from saltern_master.bench.cluster.ground import Ground, joined_fleet
from saltern_master.bench.turns import follow
from saltern_master.demo import ready
from saltern_master.lab.fleet import Fleet, wait_for
from saltern_master.lab.trial import Show

NODE = "w1"
GROUND = Ground(
    "bench-drift",
    {"cp1": "control-plane", NODE: "worker"},
    "master/saltern_master/bench/drift/cluster.yaml",
)
SECONDS = 600.0
MOST = 1000
REST_SECONDS = 3.0  # without a new record: a cluster that has just come up settles for a while


@contextmanager
def held_cluster(show: Show, keep: bool, ground: Ground = GROUND) -> Iterator[Fleet]:
    """Give a cluster that was applied, is Ready and has come to rest."""
    with joined_fleet(show, keep, ground) as fleet:
        show("the first apply")
        client = client_of(fleet)
        follow(client, fleet.cluster.read_bytes()).must_be("changed")
        wait_for("all nodes to be Ready", lambda: ready(fleet) == len(fleet.nodes), SECONDS)
        wait_for("kube-proxy to have its rules", lambda: is_proxied(fleet), SECONDS)
        wait_for("nothing to be left to do", lambda: is_settled(client, fleet), SECONDS)
        settle(client)
        yield fleet


def client_of(fleet: Fleet) -> Client:
    """Give the master's API."""
    return Client(fleet.home / "run/api.sock", SECONDS)


def is_settled(client: Client, fleet: Fleet) -> bool:
    """Say whether an apply has nothing to do."""
    turn = follow(client, fleet.cluster.read_bytes())
    return all(one.result == "converged" for one in turn.nodes.values())


def is_proxied(fleet: Fleet) -> bool:
    """Say whether kube-proxy has written its chains everywhere: a node is Ready before."""
    return all(
        "KUBE-FORWARD" in fleet.node(name).run("/usr/sbin/iptables-save").stdout
        for name in fleet.nodes
    )


def all_drift(client: Client) -> tuple[DriftView, ...]:
    """Give the newest drift of all nodes."""
    return client.drift(DriftQuery(most=MOST))


def open_drift(client: Client) -> tuple[DriftView, ...]:
    """Give what is not as declared."""
    return client.drift(DriftQuery(most=MOST, open=True))


def settle(client: Client, rest: float = REST_SECONDS) -> None:
    """Wait until no drift is open and none has been told for a while."""
    seen, since = len(all_drift(client)), time.monotonic()

    def rests() -> bool:
        nonlocal seen, since
        found = all_drift(client)
        if len(found) != seen or any(not one.healed for one in found):
            seen, since = len(found), time.monotonic()
        return time.monotonic() - since > rest

    wait_for("the nodes to come to rest", rests, SECONDS)
