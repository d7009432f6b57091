"""The crowd's bench: what its nodes shall be, and what is made of what was measured."""

from __future__ import annotations

from itertools import count

import msgspec
import pytest
from saltern_master.api.service import TurnNode
from saltern_master.bench.crowd import body
from saltern_master.bench.crowd.crowd import Turn
from saltern_master.bench.crowd.figures import Figures, memory_of, rows, series_of, table
from saltern_master.bench.crowd.page import lines, page
from saltern_master.bench.site import Site
from saltern_master.bench.turns import Followed
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import compile_cluster
from saltern_master.lab.errors import LabError
from saltern_master.signing.policy_file import read_policy
from saltern_protocol.policy import Policy, outside
from saltern_states.body import Body

from tests.master.clusters import STOCK

SITE = Site(
    date="2026-11-23",
    machine="2 × CPU",
    load="0.00",
    kernel="Linux",
    commit="abc",
    command="make bench-crowd",
)
NAMES = tuple(f"n{number:03}" for number in range(1, 301))


def bodies(word: str, names: tuple[str, ...] = NAMES) -> dict[str, Body]:
    file = load(body.cluster_file(names, word).encode())
    done = compile_cluster(file, {}, Allocation(), STOCK)
    return {one.node.name: one.body for one in done.nodes}


def test_every_node_has_twenty_resources_and_nothing_of_kubernetes() -> None:
    found = bodies("a")
    assert tuple(found) == NAMES  # more than one network of 250 addresses holds
    for one in found.values():
        kinds = [resource.spec.__struct_config__.tag for resource in one.resources]
        assert (kinds.count("directory/1"), kinds.count("file/1")) == (10, 10)
        assert len(kinds) == body.RESOURCES == 20
    assert body.CHANGES == 15


def test_another_word_changes_one_file_on_every_node() -> None:
    before, after = bodies("a", NAMES[:3]), bodies("b", NAMES[:3])
    for name in before:
        pairs = zip(before[name].resources, after[name].resources, strict=True)
        assert [one.id for one, other in pairs if one != other] == ["crowd-1/one"]


def test_the_crowds_policy_allows_what_its_nodes_touch() -> None:
    classes = read_policy(body.policy().encode())
    policy = Policy(cluster="crowd", version=1, epoch=1, expires=1, classes=classes)
    for one in bodies("a", NAMES[:1])["n001"].resources:
        assert one.claims
        assert outside(policy, "worker", one.claims) == ()


def turn(last: float, agents: float = 0.05) -> Turn:
    return Turn(Followed({}, answered=0.01, last=last), agents, core_cpu=0.02, front_cpu=0.01)


def measured(*no_ops: Turn) -> Figures:
    return Figures(
        site=SITE,
        size=50,
        join_seconds=40.0,
        first=series_of("first", 50, [turn(2.0)]),
        no_op=series_of("no-op", 50, no_ops),
        changed=series_of("one changed file", 50, [turn(1.0), turn(1.5), turn(0.5)]),
        memory=memory_of([20.0, 30.0], core=50.0, front=14.0),
    )


def test_cpu_is_given_for_one_agent_and_in_milliseconds() -> None:
    one = series_of("no-op", 50, [turn(0.08, agents=0.1)])
    assert one.agent_cpu == pytest.approx((2.0,))
    assert one.core_cpu == pytest.approx((20.0,))
    assert one.last == (0.08,)


def test_the_worst_of_the_runs_is_what_the_goal_is_held_against() -> None:
    good = measured(turn(0.1), turn(0.05))
    assert [row.met for row in rows(good)] == [True, True]
    assert "missed" not in page(good)
    bad = measured(turn(0.05, agents=0.3), *(turn(0.05) for _ in range(19)), turn(0.101))
    assert [row.met for row in rows(bad)] == [False, True]
    dear = measured(turn(0.05, agents=0.11))
    assert [row.met for row in rows(dear)] == [True, False]
    assert page(dear).count("**missed**") == 1
    assert sum("MISSED" in line for line in lines(dear)) == 1


def test_medians_and_worsts_stand_in_the_table() -> None:
    found = {line[0]: line[1:] for line in table(measured(turn(0.05)))}
    assert found["one changed file"][:4] == ("3", "0.010 s", "1.000 s", "1.500 s")


def test_what_is_not_ours_is_said_to_be_measured_elsewhere() -> None:
    text = page(measured(turn(0.05)))
    assert "Salt 3007.9, measured elsewhere" in text
    assert "were not measured here" in text


def test_figures_can_be_written_and_read_again() -> None:
    found = measured(turn(0.05))
    assert msgspec.json.decode(msgspec.json.encode(found), type=Figures) == found


def followed(*results: tuple[str, int]) -> Followed:
    number = count(1)
    nodes = [
        TurnNode(node=f"n{next(number)}", result=result, version=1, changes=changes)  # type: ignore[arg-type]
        for result, changes in results
    ]
    return Followed({one.node: one for one in nodes}, 0.0, 0.0)


def test_a_turn_that_came_to_something_else_is_not_counted() -> None:
    followed(("converged", 0), ("converged", 0)).must_be("converged", 0)
    followed(("changed", 9), ("changed", 15)).must_be("changed")
    with pytest.raises(LabError, match="n2 was to be converged, and is unreachable"):
        followed(("converged", 0), ("unreachable", 0)).must_be("converged", 0)
    with pytest.raises(LabError, match="n1 was to be changed, and is changed, 14 changes"):
        followed(("changed", 14)).must_be("changed", 15)
