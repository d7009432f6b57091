"""A node that does not answer is named, the others go on, and it follows when it is back."""

from __future__ import annotations

import json
import socket
import time

import pytest

from tests.cluster.cluster import Cluster, Json

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

GONE = 30.0  # seconds: 18 until a word is said that nothing carries, and what a busy machine needs
PARAMETER = "net.core.somaxconn"
NOTICED = 75.0  # seconds: 45 of silence, the grace of a turn, and what a busy machine needs


def test_the_others_go_on_and_it_follows(cluster: Cluster) -> None:
    assert parameter(cluster, "w2") == "4096"
    out_of_reach(cluster, "--append")
    try:
        turn = cluster.apply(file=cluster.edited('"4096"', '"4098"'))
        assert turn.status == 3, turn.told
        assert turn.results == {"cp1": "converged", "w1": "changed", "w2": "unreachable"}
        lost = turn.nodes["w2"]
        assert "not connected" in lost["why"]
        assert turn.nodes["w1"]["seconds"] < lost["seconds"] < NOTICED
        # The events came as they happened: w1's long before the last.
        assert [one["node"]["node"] for one in turn.events if "node" in one][-1] == "w2"
        assert (parameter(cluster, "w1"), parameter(cluster, "w2")) == ("4098", "4096")
        told = cluster.fleet.try_saltern("status")
        assert told.returncode == 3
        assert not cluster.status()["w2"]["connected"]
        known = cluster.drift()
    finally:
        out_of_reach(cluster, "--delete")

    number = turn.events[-1]["turn"]["turn"]
    cluster.wait("w2 to follow", lambda: parameter(cluster, "w2") == "4098")
    line = cluster.wait("the turn to hear of it", lambda: ended(cluster, number))
    assert (line["result"], line["changes"]) == ("changed", 2)
    cluster.settle()
    assert cluster.drift() == known, "what was late is no drift"
    assert cluster.apply().changes == {"cp1": 0, "w1": 2, "w2": 2}


def test_a_node_whose_agent_ends_is_known_to_be_away_soon(cluster: Cluster) -> None:
    cluster.say("w2", "systemctl", "stop", "saltern-agent")
    ended = time.monotonic()
    try:
        cluster.wait("w2 to be away", lambda: not cluster.status()["w2"]["connected"])
        assert time.monotonic() - ended < GONE
    finally:
        cluster.say("w2", "systemctl", "start", "saltern-agent")
    cluster.wait("w2 to be back", lambda: cluster.status()["w2"]["connected"])
    cluster.settle()


def out_of_reach(cluster: Cluster, change: str) -> None:
    """Have nothing of w2's come to its master, without a word; or have it come again.

    An agent that stands still is no such thing: its watchdog ends it, and the next one follows.
    """
    master = str(cluster.fleet.lab.network.host)
    cluster.say("w2", "iptables", change, "OUTPUT", "--destination", master, "--jump", "DROP")


def parameter(cluster: Cluster, node: str) -> str:
    """Read the kernel's own value in a node."""
    return cluster.say(node, "cat", f"/proc/sys/{PARAMETER.replace('.', '/')}").strip()


def ended(cluster: Cluster, turn: int) -> Json | None:
    """Ask the HTTP API, by bare HTTP, how w2 stands in a turn; None while out of reach."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(30)
        asking.connect(str(cluster.fleet.home / "run/api.sock"))
        asking.sendall(f"GET /v1/turns/{turn} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        with asking.makefile("rb") as answer:
            head, _, body = answer.read().partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    (line,) = [one for one in json.loads(body)["nodes"] if one["node"] == "w2"]
    return line if line["result"] != "unreachable" else None
