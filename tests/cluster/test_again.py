"""Applied again there is nothing to do; one changed line is one changed thing."""

from __future__ import annotations

import pytest

from tests.cluster.cluster import NAMES, Cluster
from tests.lab.snapshot import difference

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(300, func_only=True)]

PARAMETER = "net.core.somaxconn"


def test_applied_again_nothing_changes_and_nothing_restarts(cluster: Cluster) -> None:
    before = {name: cluster.snapshot(name) for name in NAMES}
    runs = {name: cluster.invocations(name) for name in NAMES}
    containers = {name: cluster.containers(name) for name in NAMES}
    versions = {name: one["version"] for name, one in cluster.status().items()}
    assert len(containers["cp1"]) == 8, "four pods, each with its pause"

    turn = cluster.apply()
    assert turn.status == 0
    assert turn.changes == dict.fromkeys(NAMES, 0)
    assert turn.results == dict.fromkeys(NAMES, "converged")
    for name in NAMES:
        assert difference(before[name], cluster.snapshot(name)) == {}, name
        assert cluster.invocations(name) == runs[name]
        assert cluster.containers(name) == containers[name]
    assert {name: one["version"] for name, one in cluster.status().items()} == versions


def test_one_changed_line_changes_what_it_says_and_no_more(cluster: Cluster) -> None:
    file = f"/etc/sysctl.d/90-saltern-{PARAMETER}.conf"
    before = {name: cluster.snapshot(name) for name in NAMES}
    assert before["w1"][f"sysctl {PARAMETER}"] == "4096"
    turn = cluster.apply(file=cluster.edited('"4096"', '"4097"'))
    try:
        assert turn.status == 0
        # The value that holds now, and the file from which a boot takes it.
        assert turn.changes == {"cp1": 0, "w1": 2, "w2": 2}
        assert turn.results == {"cp1": "converged", "w1": "changed", "w2": "changed"}
        after = {name: cluster.snapshot(name) for name in NAMES}
        assert difference(before["cp1"], after["cp1"]) == {}
        for name in ("w1", "w2"):
            told = difference(before[name], after[name])
            assert told == {f"sysctl {PARAMETER}": "~", f"path {file}": "~"}, name
            assert after[name][f"sysctl {PARAMETER}"] == "4097"
            assert f"{PARAMETER} = 4097" in cluster.say(name, "cat", file)
    finally:
        back = cluster.apply()
    assert back.changes == {"cp1": 0, "w1": 2, "w2": 2}
    for name in NAMES:
        assert difference(before[name], cluster.snapshot(name)) == {}, name
