"""Every docker is restarted, one node after the other, and a client of two pods notices nothing.

The new docker keeps no containers over its restart, so each node is cordoned, emptied and taken
back; a disruption budget has one of the two pods stay. The client asks from cp1's own network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster.cluster import NAMES, Cluster, Json, is_ready
from tests.cluster.pods import LABELS, Pods, deployment, service

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(600, func_only=True)]

LINGER = 5  # seconds that a pod still answers once it is told to end
STRATEGY = (
    "--canary", "1", "--waves", "100%", "--soak", "0s", "--hold", "2s", "--drain", "3m",
    "--patience", "3m",
)  # fmt: skip
ASK = """
import sys, time, urllib.request
asked = lost = 0
while True:
    try:
        urllib.request.urlopen(sys.argv[1], timeout=3).read()
    except OSError as error:
        lost += 1
        print(asked, error, file=sys.stderr, flush=True)
    asked += 1
    with open("/run/asked.new", "w") as file:
        file.write(f"{asked} {lost}")
    __import__("os").rename("/run/asked.new", "/run/asked")
    time.sleep(0.02)
"""


def test_a_client_loses_no_request(cluster: Cluster, pods: Pods) -> None:
    two_echoes(cluster, pods)
    runs = {name: cluster.invocations(name, ("docker",)) for name in NAMES}
    changed = cluster.edited("liveRestore: true", "liveRestore: false")
    url = f"http://{pods.address_of_service('talk')}/"
    try:
        with asking(cluster, url):
            cluster.wait("the client to be answered", lambda: counts(cluster)[0] > 20)
            done = cluster.fleet.try_saltern(
                "rollout", "start", "--file", str(changed), *STRATEGY, "--output", "json"
            )
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr
            asked, lost = counts(cluster)
        assert lost == 0, f"{lost} of {asked} requests: {complaints(cluster)}"
        assert asked > 200
        for name in NAMES:
            assert cluster.invocations(name, ("docker",)) != runs[name], name
        cluster.wait("all to take pods", lambda: sorted(cluster.ready()) == sorted(NAMES))
        impacts = {one["node"]: one["impact"] for one in json_lines(done.stdout)}
        assert impacts == dict.fromkeys(NAMES, "drain")
    finally:
        cluster.apply()
        cluster.settle()


def two_echoes(cluster: Cluster, pods: Pods) -> None:
    """Have one echo on each worker behind a Service, of which one has to stay."""
    made = deployment("talk")
    spec = made["spec"]["template"]["spec"]
    spec["terminationGracePeriodSeconds"] = 2 * LINGER
    spec["affinity"] = {"podAntiAffinity": apart()}
    (main,) = spec["containers"]
    main["args"] = ["8080", str(LINGER)]
    main["readinessProbe"] = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    made["spec"]["replicas"] = 2
    pods.create(made, service("talk"), budget())

    def both() -> bool:
        found = cluster.objects("pods", "--selector", "app=talk")
        return len(found) == 2 and all(map(is_ready, found))

    cluster.wait("both echoes to be Ready", both)


def apart() -> Json:
    """Let no two pods of the Deployment be on one node."""
    chosen = {"matchLabels": {"app": "talk"}}
    term = {"labelSelector": chosen, "topologyKey": "kubernetes.io/hostname"}
    return {"requiredDuringSchedulingIgnoredDuringExecution": [term]}


def budget() -> Json:
    """Let one of the two stay, whatever is evicted."""
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "talk"}}}
    return {
        "apiVersion": "policy/v1beta1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "talk", "labels": LABELS},
        "spec": spec,
    }


@contextmanager
def asking(cluster: Cluster, url: str) -> Iterator[None]:
    """Have a client ask from cp1 without pause."""
    begin = ("systemd-run", "--unit=asking", "--collect", "/usr/bin/python3", "-c", ASK, url)
    cluster.say("cp1", *begin)
    try:
        yield
    finally:
        cluster.run("cp1", "systemctl", "stop", "asking")


def counts(cluster: Cluster) -> tuple[int, int]:
    """Give how many requests were made, and how many were lost."""
    said = cluster.run("cp1", "cat", "/run/asked").stdout.split()
    return (int(said[0]), int(said[1])) if said else (0, 0)


def complaints(cluster: Cluster) -> str:
    """Give what the client said of those that were lost."""
    return cluster.run("cp1", "journalctl", "--unit=asking", "--no-pager", "--lines=20").stdout


def json_lines(text: str) -> list[Json]:
    """Give the nodes of a rollout's last event."""
    last = json.loads(text.splitlines()[-1])
    return list(last["rollout"]["nodes"])
