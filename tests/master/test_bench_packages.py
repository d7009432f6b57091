"""The packages' bench: what its node shall be, what is measured, and what is made of it."""

from __future__ import annotations

from collections import Counter

import msgspec
import pytest
from saltern_master.bench.figures import Memory
from saltern_master.bench.packages import body
from saltern_master.bench.packages.figures import (
    Figures,
    Installed,
    Release,
    Starts,
    rows,
    table,
)
from saltern_master.bench.packages.measure import NEEDED
from saltern_master.bench.packages.page import lines, page
from saltern_master.bench.packages.probe import EXECUTED
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_master.lab.agent_package import checkout
from saltern_master.signing.policy_file import default_policy, read_policy
from saltern_protocol.policy import Policy, outside
from saltern_states.body import Body, Resource

from tests.master.clusters import STOCK
from tests.master.test_bench_crowd import SITE

PROGRAM = "ab" * 32
MEMORY = Memory(pss_before=40.0, pss_after=41.0, descriptors_before=30, descriptors_after=30)


def declared() -> Body:
    file = load(body.cluster_file("10.9.0.21", PROGRAM).encode())
    (node,) = compile_cluster(file, {}, Allocation(), STOCK).nodes
    assert node.node.name == body.NODE
    assert str(node.node.address) == "10.9.0.21"
    return node.body


def kind_of(resource: Resource) -> str:
    return str(resource.spec.__struct_config__.tag)


def test_the_node_has_forty_resources_and_one_large_program() -> None:
    found = declared()

    assert len(found.resources) == body.RESOURCES == 40
    kinds = Counter(map(kind_of, found.resources))
    assert set(kinds) == {
        *("directory/1", "file/1", "artifact/1", "unit/1", "bridge/1", "chain/1", "sysctl/1")
    }
    assert set(found.blobs) == {PROGRAM}


def test_its_policy_allows_what_it_touches_and_a_new_clusters_does_not() -> None:
    def refused(text: str) -> int:
        classes = read_policy(text.encode())
        policy = Policy(cluster=body.CLUSTER, version=1, epoch=1, expires=1, classes=classes)
        return sum(bool(outside(policy, "worker", one.claims)) for one in declared().resources)

    assert refused(body.policy()) == 0
    assert refused(default_policy()) > 20


def test_what_is_carried_to_the_node_is_there() -> None:
    package = checkout() / "master/saltern_master"
    assert all((package / name).is_file() for name in NEEDED)


def installed(files: int = 18_000_000, bytecode: int = 6_000_000) -> Installed:
    return Installed(
        package=6_300_000,
        count=1300,
        files=files,
        bytecode=bytecode,
        blocks=27_000_000,
        seconds=1.94,
    )


GOOD = Release(
    system="Debian 12.15, Python 3.11.2",
    agent=installed(),
    master=installed(30_000_000, 10_000_000),
    starts=Starts(kept=(0.2, 0.9, 0.3), fresh=(0.5, 0.4, 0.6)),
    looks=1000,
    memory=MEMORY,
    memory_started=39.0,
    core=60.0,
    front=17.0,
)


def figures(*releases: Release) -> Figures:
    return Figures(site=SITE, releases=releases)


def written(found: Figures) -> str:
    return page(found, 20, EXECUTED)


def changed(**other: object) -> Figures:
    return figures(msgspec.structs.replace(GOOD, **other))


def test_what_keeps_all_goals_to_the_bound_misses_none() -> None:
    found = figures(GOOD, msgspec.structs.replace(GOOD, system="Debian 13.8, Python 3.13.5"))

    assert [row.met for row in rows(found)] == [True] * 10
    assert "missed" not in written(found)
    assert not any("MISSED" in line for line in lines(found))


@pytest.mark.parametrize(
    ("other", "what"),
    [
        ({"agent": installed(40_000_000, 1)}, "the agent installed, with bytecode"),
        ({"master": installed(40_000_001, 1)}, "the master installed, its files"),
        (
            {"starts": Starts(kept=(0.51, 0.51, 0.1), fresh=(0.1,))},
            "from exec to the end of the first look",
        ),
        (
            {"starts": Starts(kept=(0.1,), fresh=(0.51,))},
            "from exec to the end of the first look, nothing kept",
        ),
        (
            {"memory": msgspec.structs.replace(MEMORY, pss_before=45.01)},
            "PSS of the agent, the largest found",
        ),
        (
            {"memory": msgspec.structs.replace(MEMORY, pss_after=45.01)},
            "PSS of the agent, the largest found",
        ),
        ({"memory_started": 45.01}, "PSS of the agent, the largest found"),
    ],
)
def test_each_goal_can_be_missed_and_is_said(other: dict[str, object], what: str) -> None:
    found = changed(**other)

    assert [row.what for row in rows(found) if not row.met] == [f"Debian 12: {what}"]
    assert written(found).count("**missed**") == 1
    assert sum("MISSED" in line for line in lines(found)) == 1


def test_every_release_has_a_column_and_every_row_as_many_cells() -> None:
    found = figures(GOOD, msgspec.structs.replace(GOOD, system="Debian 13.8, Python 3.13.5"))
    head, *rest = table(found)

    assert head == ("what", "Debian 12", "Debian 13")
    assert {len(row) for row in rest} == {3}
    told = {row[0]: row[1] for row in rest}
    assert told["the agent: all of it"] == "24.0 MB"
    assert told["the master: its files"] == "30.0 MB"
    assert told["a start, median and worst"] == "0.300; 0.900 s"
    assert told["PSS of core; of front"] == "60.0; 17.0 MiB"


def test_the_page_says_where_and_how() -> None:
    text = written(figures(GOOD))

    assert "* Node: Debian 12.15, Python 3.11.2, in systemd-nspawn" in text
    assert "* Starts of each kind: 3; looks: 1000" in text
    assert f"`{EXECUTED}`" in text
    assert "{" not in text


def test_figures_can_be_written_and_read_again() -> None:
    found = figures(GOOD)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Figures) == found
