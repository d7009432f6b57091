"""A document that cuts its own node off is taken back with no hands, whoever else is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.long, pytest.mark.timeout(400, func_only=True)]

BACK = 90.0  # seconds
CUT = """\
- match: name=w2
  resources:
  - {{id: cut, spec: {{kind: route/1, destination: {master}/32, type: unreachable}}}}
"""


def test_a_node_that_lost_its_way_is_back(cluster: Cluster) -> None:
    before = cluster.snapshot("w2")
    with cutting(cluster) as way:
        cluster.wait("w2 to be back on its way", lambda: way not in routes(cluster), BACK)
        cluster.wait("w2 to be as it was", lambda: cluster.snapshot("w2") == before)


def test_also_when_its_agent_is_killed_meanwhile(cluster: Cluster) -> None:
    with cutting(cluster) as way:
        cluster.say("w2", "systemctl", "mask", "--runtime", "saltern-agent")
        cluster.say("w2", "systemctl", "kill", "--signal=KILL", "saltern-agent")
        try:
            cluster.wait("w2 to be back on its way", lambda: way not in routes(cluster), BACK)
        finally:
            cluster.say("w2", "systemctl", "unmask", "--runtime", "saltern-agent")
            cluster.say("w2", "systemctl", "start", "saltern-agent")


@contextmanager
def cutting(cluster: Cluster) -> Iterator[str]:
    """Apply what cuts w2 off its master, and see that it does; at the end all is as declared."""
    master = str(cluster.fleet.lab.network.host)
    way = f"unreachable {master}"
    file = with_cut(cluster, master)
    try:
        cluster.apply("--no-wait", file=file)
        cluster.wait("w2 to be cut off", lambda: way in routes(cluster))
        yield way
    finally:
        cluster.wait("w2 to be connected", lambda: cluster.status()["w2"]["connected"])
        cluster.apply()
        cluster.settle()


def with_cut(cluster: Cluster, master: str) -> Path:
    """Give the cluster file with the cut in it."""
    path = cluster.fleet.cluster.with_name("cut.yaml")
    path.write_text(cluster.fleet.cluster.read_text() + CUT.format(master=master))
    return path


def routes(cluster: Cluster) -> str:
    """Give w2's routes, as ip prints them."""
    return cluster.say("w2", "ip", "route", "show")
