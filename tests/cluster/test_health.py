"""Parts of real nodes that fail: bad with their reason, good again; and what a look costs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from saltern_master.lab.install import TREE

from tests.cluster.cluster import Cluster, Json

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400, func_only=True)]

SECONDS = 60.0
WORKER = ("machine", "disk", "docker", "kubelet", "kube-proxy", "certificates")
CONTROL = (*WORKER[:-1], "etcd", "static-pods", "certificates")
BUDGET_MS = 15.0
"""CPU of a round: 0.1 % of the 15 seconds between two."""
MEASURE = """
import json, time
from pathlib import Path
from saltern_agent.doctor.accepted import accepted_body
from saltern_agent.health.looking import Looking
from saltern_agent.health.wanted import wanted_of
from saltern_agent.places import USUAL
body = accepted_body(USUAL)
wanted = wanted_of(body, {name!r}, "/var/lib/saltern")
looking = Looking(time.time, Path("/"))
found = looking.look(wanted)
began, rounds = time.process_time(), 40
for _ in range(rounds):
    looking.look(wanted)
spent = (time.process_time() - began) / rounds * 1000
print(json.dumps({{"ms": spent, "parts": {{name: one.state for name, one in found}}}}))
"""


def parts(cluster: Cluster, node: str) -> dict[str, Json]:
    """Give a node's parts as the master shows them."""
    found = cluster.fleet.try_saltern("node", "show", node, "--output", "json")
    assert found.returncode == 0, found.stderr
    return {one["name"]: one for one in json.loads(found.stdout)["parts"]}


def becomes(cluster: Cluster, node: str, part: str, state: str, seconds: float = SECONDS) -> Json:
    """Wait until a part of a node is told so; gives it."""

    def told() -> Json | None:
        one = parts(cluster, node).get(part, {})
        return one if one.get("state") == state else None

    return cluster.wait(f"{part} of {node} to be {state}", told, seconds)


@contextmanager
def stopped(cluster: Cluster, node: str, unit: str) -> Iterator[None]:
    """Let a unit's process stand still: systemd calls it active, and it answers nobody."""
    asked = ("systemctl", "show", "--property=MainPID", "--value", unit)
    pid = cluster.say(node, *asked).strip()
    cluster.say(node, "kill", "-STOP", pid)
    try:
        yield
    finally:
        cluster.say(node, "kill", "-CONT", pid)


def test_a_cluster_that_is_well_has_all_its_parts_and_they_are_good(cluster: Cluster) -> None:
    for node, names in (("cp1", CONTROL), ("w1", WORKER)):
        for name in names[2:]:
            becomes(cluster, node, name, "good")
        assert tuple(parts(cluster, node)) == names
    status = cluster.fleet.try_saltern("status")
    assert "bad" not in status.stdout


@pytest.mark.parametrize(
    "unit",
    [
        "docker",
        pytest.param("kubelet", marks=pytest.mark.long),
        pytest.param("kube-proxy", marks=pytest.mark.long),
    ],
)
def test_a_program_that_hangs_is_bad_with_its_reason_and_good_again(
    cluster: Cluster, unit: str
) -> None:
    before = becomes(cluster, "w1", unit, "good")
    with stopped(cluster, "w1", unit):
        found = becomes(cluster, "w1", unit, "bad")
        assert found["why"].startswith("it does not answer: ")
        assert found["since"] > before["since"]
        status = cluster.fleet.try_saltern("status")
        assert status.returncode == 1
        assert f"w1: {unit} bad" in status.stdout
    becomes(cluster, "w1", unit, "good")


def test_a_unit_that_is_stopped_under_a_hold_is_bad_at_once(cluster: Cluster) -> None:
    held = cluster.fleet.try_saltern("drift", "hold", "w2", "--for", "10m", "--why", "a test")
    assert held.returncode == 0, held.stderr
    try:
        cluster.wait("the hold to be known there", lambda: _is_held(cluster, "w2"), SECONDS)
        cluster.say("w2", "systemctl", "stop", "kubelet")
        found = becomes(cluster, "w2", "kubelet", "bad")
        assert found["why"].startswith("kubelet.service is inactive")
    finally:
        cluster.fleet.try_saltern("drift", "release", "w2")
    becomes(cluster, "w2", "kubelet", "good")


def _is_held(cluster: Cluster, node: str) -> bool:
    said: Callable[..., str] = cluster.say
    return "held" in said(node, "saltern-agent", "status")


@pytest.mark.long  # a minute until it is one, and one until it is over
def test_an_alarm_names_what_shows_more(cluster: Cluster) -> None:
    with stopped(cluster, "w1", "kubelet"):
        becomes(cluster, "w1", "kubelet", "bad")

        def alarmed() -> Json | None:
            done = cluster.fleet.try_saltern("status", "--output", "json")
            found = json.loads(done.stdout)["alarms"]
            return next((one for one in found if one["kind"] == "part-bad"), None)

        alarm = cluster.wait("the alarm", alarmed, 120)
        assert alarm["node"] == "w1"
        assert "systemctl status kubelet" in alarm["remedy"]
    becomes(cluster, "w1", "kubelet", "good")


@pytest.mark.parametrize("node", ["cp1", "w1"])
def test_a_round_costs_at_most_a_thousandth_of_a_processor(cluster: Cluster, node: str) -> None:
    code = MEASURE.format(name=node)
    said = cluster.say(node, "env", f"PYTHONPATH={TREE}", "python3", "-c", code)
    found = json.loads(said.splitlines()[-1])
    print(f"{node}: {found['ms']:.2f} ms of CPU each round: {found['ms'] / 150:.4f} % of a core")
    assert set(found["parts"]) == set(CONTROL if node == "cp1" else WORKER)
    assert found["ms"] <= BUDGET_MS
