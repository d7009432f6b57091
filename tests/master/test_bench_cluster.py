"""The cluster's bench: what is made of what was measured, and where its cluster file stands."""

from __future__ import annotations

import msgspec
import pytest
from saltern_master.bench.cluster.figures import (
    Figures,
    First,
    Memory,
    NoOps,
    Rest,
    hourly,
    peak_of,
    rows,
    times,
    traffic,
)
from saltern_master.bench.cluster.ground import CLASSES, OFFSETS, moved
from saltern_master.bench.cluster.page import lines, page
from saltern_master.cluster.load import load
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.layout import DEFAULT_NETWORK

from tests.master.test_bench_crowd import SITE

REST = Rest(
    seconds=120.0,
    core_cpu=0.3,
    front_cpu=0.2,
    nodes=3,
    counted_seconds=120.0,
    messages=24,
    bytes_in=3000,
    bytes_out=900,
)


def measured(
    valid: float = 50.0, worst: float = 0.3, command: float = 0.9, core: float = 60.0
) -> Figures:
    return Figures(
        site=SITE,
        first=First(told=40.0, valid=valid, changes=198, core_cpu=0.5, front_cpu=2.0),
        no_ops=NoOps(
            requested=(0.1, worst, 0.2), commanded=(0.5, command), core_cpu=9.0, front_cpu=3.0
        ),
        rest=REST,
        at_rest=Memory(core=core, front=15.0),
        peak=Memory(core=core + 5, front=16.0),
    )


def missed(found: Figures) -> list[str]:
    return [row.what for row in rows(found) if not row.met]


def test_what_keeps_all_goals_misses_none() -> None:
    found = measured()
    assert missed(found) == []
    assert "missed" not in page(found)


@pytest.mark.parametrize(
    ("found", "which"),
    [
        (measured(valid=60.1), ["from apply to a valid cluster"]),
        (measured(worst=1.1), ["a no-op, from the request to the last node, worst of 3"]),
        (measured(command=1.1), ["a no-op, the command from start to end, worst of 2"]),
        (measured(core=100.0), ["core and front at their peaks, PSS together"]),
    ],
)
def test_each_goal_can_be_missed_and_is_said(found: Figures, which: list[str]) -> None:
    assert missed(found) == which
    assert page(found).count("**missed**") == 1
    assert sum("MISSED" in line for line in lines(found)) == 1


def test_core_and_front_count_together_at_rest_too() -> None:
    assert len(missed(measured(core=105.1))) == 2


def test_messages_are_extrapolated_for_each_node() -> None:
    assert hourly(REST, REST.messages) == pytest.approx(240)
    assert "240 messages, 30.0 kB from it, 9.0 kB to it" in page(measured())
    assert "24 messages of 3 nodes" in page(measured())


def test_what_the_front_counted_before_does_not_count() -> None:
    before = {"messages": 10, "bytes_in": 100, "bytes_out": 50, "cpu_us": 9}
    after = {"messages": 34, "bytes_in": 3100, "bytes_out": 950, "cpu_us": 99}
    assert traffic(before, after) == {"messages": 24, "bytes_in": 3000, "bytes_out": 900}


def test_the_peak_is_of_each_process() -> None:
    samples = [Memory(core=1.0, front=9.0), Memory(core=5.0, front=2.0)]
    assert peak_of(samples) == Memory(core=5.0, front=9.0)
    assert peak_of(samples).together == 14.0


def test_medians_and_worsts_stand_in_the_table() -> None:
    assert times(measured())[3] == ("no-op, from the request", "3", "0.200", "0.300")


def test_figures_can_be_written_and_read_again() -> None:
    assert msgspec.json.decode(msgspec.json.encode(measured()), type=Figures) == measured()


def test_the_tutorials_cluster_can_be_moved_to_the_benchs_network() -> None:
    theirs = str(DEFAULT_NETWORK.subnet[0])[:-1]
    text = (checkout() / "docs/tutorial/cluster.yaml").read_text()
    found = load(moved(text, theirs, "10.9.77.").encode()).cluster
    wanted = {name: f"10.9.77.{offset}" for name, offset in OFFSETS.items()}
    assert {node.name: str(node.address) for node in found.nodes} == wanted
    assert str(found.cluster.endpoint) == wanted["cp1"]
    assert {node.name: node.node_class for node in found.nodes} == CLASSES
