"""A bad cluster file is refused with all reasons at once, before anything is done."""

from __future__ import annotations

import re

import pytest

from tests.cluster.cluster import NAMES, Cluster
from tests.lab.snapshot import difference

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

BAD = """
apiVersion: saltern/v1
cluster: {{name: demo, domain: cluster.local}}
kubernetes: {{version: 1.99.0}}
network: {{mode: routed, pods: 10.10.0.0/23, perNode: 24, services: 10.10.0.0/24}}
runtime: {{docker: {{liveRestore: true}}}}
nodes:
- {{name: cp1, address: {cp1}, roles: [control-plane, etcd]}}
- {{name: w1, address: {w1}, roles: [worker]}}
- {{name: w2, address: {w1}, roles: [worker]}}
- {{name: w1, address: {w2}, roles: [worker]}}
- {{name: w3, roles: [worker]}}
"""
REASONS = (
    r"kubernetes\.version: .*1\.99\.0 is not known",
    r"network\.services: .*10\.10\.0\.0/24 overlaps network\.pods",
    r"network\.pods: .*10\.10\.0\.0/23 has room for 2 nodes .*there are 5",
    r"nodes\[2\]\.address: .*nodes\[1\] has the address",
    r"nodes\[3\]\.name: .*nodes\[1\] has the name w1 too",
    r"nodes\[4\].*address",
)
OTHER = """
apiVersion: saltern/v1
cluster: {{name: demo, domain: cluster.local}}
kubernetes: {{version: 1.20.2}}
network: {{mode: routed, pods: 10.10.0.0/16, perNode: 24, services: 10.0.0.0/16}}
runtime: {{docker: {{liveRestore: true}}}}
nodes:
- {{name: spare, address: {spare}, roles: [control-plane, etcd]}}
"""


def test_every_reason_is_told_at_once_and_nothing_is_done(cluster: Cluster) -> None:
    before = {name: cluster.snapshot(name) for name in NAMES}
    asked = cluster.fleet.ask("status")
    file = cluster.fleet.cluster.with_name("bad.yaml")
    file.write_text(BAD.format(**cluster.fleet.nodes))
    done = cluster.fleet.try_saltern("apply", str(file))
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    for reason in REASONS:
        assert len(re.findall(reason, done.stderr)) == 1, (reason, done.stderr)
    assert "Traceback" not in done.stderr
    after = cluster.fleet.ask("status")
    assert after["revision"] == asked["revision"]
    assert [one["wanted"] for one in after["nodes"]] == [one["wanted"] for one in asked["nodes"]]
    for name in NAMES:
        assert difference(before[name], cluster.snapshot(name)) == {}, name


def test_a_workers_token_makes_no_control_plane(cluster: Cluster) -> None:
    """The machine that joins is a corner of w1: an agent with directories of its own."""
    corner = ("saltern-agent", "--root", "/root/spare")
    token = cluster.fleet.ask("node", "token", "spare", "--class", "worker")["token"]
    cluster.say("w1", "mkdir", "-p", "/root/spare")
    try:
        cluster.say("w1", *corner, "join", str(token))
        file = cluster.fleet.cluster.with_name("other.yaml")
        file.write_text(OTHER.format(spare=cluster.fleet.nodes["cp1"].rpartition(".")[0] + ".99"))
        turn = cluster.apply(file=file)
        assert turn.status == 1
        assert turn.results == {"spare": "refused"}
        why = turn.nodes["spare"]["why"]
        assert "joined as worker and its roles make it control-plane" in why
        assert "change its roles, or revoke it and join it again" in why
        for name in NAMES:
            assert f"note: {name} is not in the cluster file" in turn.told
    finally:
        cluster.say("w1", "rm", "-r", "/root/spare")
        cluster.fleet.try_saltern("node", "revoke", "spare")
        again = cluster.apply()
    assert again.changes == dict.fromkeys(NAMES, 0)
