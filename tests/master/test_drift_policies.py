"""What a cluster file says of drift, for every resource of a node."""

from __future__ import annotations

import pytest
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_master.compile.drift_policies import USUAL
from saltern_states.body import DriftPolicy

from tests.master.clusters import SMALL, STOCK

OWN = """
resources:
  - id: motd
    spec: {kind: file/1, path: /etc/motd, text: hi}
  - id: issue
    spec: {kind: file/1, path: /etc/issue, text: hi}
    drift: {times: 2, minutes: 1}
"""


def policies(groups: str) -> dict[str, DriftPolicy]:
    file = load((SMALL + OWN + groups).encode())
    (node,) = compile_cluster(file, {}, Allocation(), STOCK).nodes
    return {one.id: one.drift for one in node.body.resources}


def test_what_nobody_speaks_of_has_a_bound() -> None:
    found = policies("")
    assert found.pop("issue") == DriftPolicy(times=2, minutes=1)
    assert set(found.values()) == {USUAL}
    assert USUAL.times


@pytest.mark.parametrize(
    ("rules", "motd"),
    [
        ("{motd: {mode: report}}", DriftPolicy(mode="report")),
        ("{'*': {mode: report}}", DriftPolicy(mode="report")),
        ("{'*': {mode: report}, 'mot*': {times: 3, minutes: 5}}", DriftPolicy(times=3, minutes=5)),
        ("{'mot*': {times: 3, minutes: 5}, '*': {times: 0}}", DriftPolicy()),
        ("{issue: {mode: report}}", USUAL),
    ],
)
def test_a_group_says_it_by_ids_and_the_later_counts(rules: str, motd: DriftPolicy) -> None:
    found = policies(f"groups:\n  - match: 'name=*'\n    drift: {rules}\n")
    assert found["motd"] == motd
    assert found["issue"] == DriftPolicy(times=2, minutes=1), "what stands there counts more"


def test_expansions_have_it_too() -> None:
    found = policies("groups:\n  - match: 'name=*'\n    drift: {'docker/*': {mode: report}}\n")
    docker = {policy for name, policy in found.items() if name.startswith("docker/")}
    assert docker == {DriftPolicy(mode="report")}


def test_a_pattern_that_names_nothing_is_told() -> None:
    with pytest.raises(ClusterFileError, match=r"groups\[0\].drift.*nothing/\*.*is called so"):
        policies("groups:\n  - match: 'name=*'\n    drift: {'nothing/*': {mode: report}}\n")


def test_a_strange_pattern_is_refused() -> None:
    with pytest.raises(ClusterFileError, match="a resource's id"):
        policies("groups:\n  - match: 'name=*'\n    drift: {'no[th]ing': {mode: report}}\n")
