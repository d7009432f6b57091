"""What is broken on a node is healed, and whoever follows hears of it while it happens."""

from __future__ import annotations

import json
import queue
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from saltern_master.lab.fleet import SALTERN

from tests.cluster.cluster import Cluster, Json, now

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

FILE = "/etc/sysctl.d/90-saltern-net.core.somaxconn.conf"
PATIENCE = 20.0  # seconds


def test_who_follows_hears_of_drift_and_of_its_end(cluster: Cluster) -> None:
    known = {(one["node"], one["number"]) for one in cluster.drift()}
    text = cluster.say("w1", "cat", FILE)
    with followed(cluster) as lines:
        for _ in known:
            lines.get(timeout=PATIENCE)  # first what was: oldest first
        began = now()
        cluster.say("w1", "sed", "-i", "s/4096/1/", FILE)
        ended: Json = {}
        while not ended.get("healed"):
            ended = json.loads(lines.get(timeout=PATIENCE))
        heard = now()
    assert (ended["node"], ended["kind"], ended["outcome"]) == ("w1", "sysctl/1", "healed")
    assert (ended["node"], ended["number"]) not in known
    assert began <= ended["since"] <= ended["recorded"] <= ended["stored"] <= heard
    assert began <= ended["healed"] <= heard
    assert any(FILE in line for line in ended["found"])
    assert cluster.say("w1", "cat", FILE) == text


def test_drift_is_listed_as_json_and_as_the_node_has_it(cluster: Cluster) -> None:
    before = {one["number"] for one in cluster.drift("w2")}
    mode = cluster.say("w2", "stat", "--format=%a", FILE)
    cluster.say("w2", "chmod", "0777", FILE)

    def told() -> Json | None:
        new = [one for one in cluster.drift("w2") if one["number"] not in before]
        return new[0] if new and new[0]["healed"] else None

    record = cluster.wait("the drift to be told", told)
    assert cluster.say("w2", "stat", "--format=%a", FILE) == mode
    said = cluster.say("w2", "saltern-agent", "drift", "--output", "json")
    own = json.loads(said.splitlines()[0])
    assert record["number"] == own["seq"]
    for field in ("resource", "kind", "seen", "outcome"):
        assert record[field] == own[field], field
    for field in ("since", "recorded", "healed"):
        assert record[field] == pytest.approx(own[field], abs=1e-3)
    assert cluster.drift("w2")[0] == record
    assert all(one["node"] == "w2" for one in cluster.drift("w2"))


@contextmanager
def followed(cluster: Cluster) -> Iterator[queue.SimpleQueue[str]]:
    """Run `saltern drift watch`; gives its lines as they come."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    asked = ["drift", "watch", "--since", "30d", "--most", "10000", "--output", "json"]
    command = [SALTERN, *asked]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=cluster.fleet.environment
    ) as running:
        assert running.stdout is not None
        reader = threading.Thread(target=_read, args=(running.stdout, lines), daemon=True)
        reader.start()
        try:
            yield lines
        finally:
            running.terminate()
            reader.join(PATIENCE)


def _read(stream: Iterator[str], into: queue.SimpleQueue[str]) -> None:
    for line in stream:
        into.put(line)
