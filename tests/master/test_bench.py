"""What the bench makes of what the probe saw: figures, goals, and a page."""

from __future__ import annotations

from typing import Any

import pytest
from saltern_agent.events import DriftLine, text
from saltern_master.bench import figures
from saltern_master.bench.damages import damages
from saltern_master.bench.figures import Figures, Ground, quantile, rows
from saltern_master.bench.page import lines, page
from saltern_master.bench.probe import TOLD

MIB = 1 << 20
GROUND = Ground(
    date="2026-11-23",
    machine="2 × CPU",
    load="0.00",
    kernel="Linux",
    node="Debian 12",
    commit="abc",
    command="make bench",
    tree_megabytes=20.0,
    installed_megabytes=22.0,
)
LOOKS = {
    "resources": 40,
    "count": 4,
    "cpu_milliseconds": 6.0,
    "children_milliseconds": 1.0,
    "wall_milliseconds": [9.0, 8.0, 7.0, 30.0],
    "before": {"pss": 30 * MIB, "descriptors": 20},
    "after": {"pss": 30 * MIB, "descriptors": 20},
}
STARTS = {
    "seconds": [0.3, 0.2, 0.4],
    "boot_seconds": [0.4, 0.5, 0.3],
    "python_seconds": [0.02] * 3,
    "import_seconds": [0.12] * 3,
}


def damage(event: bool, *durable: float) -> dict[str, Any]:
    runs = [
        {"begin": 100.0, "end": 100.001, "durable": 100 + one, "healed": 101.0} for one in durable
    ]
    return {"name": f"broken {event}", "by": "chmod", "event": event, "runs": runs}


def measured(looks: dict[str, Any], *found: dict[str, Any]) -> Figures:
    return Figures(
        ground=GROUND,
        look=figures.look_of(looks),
        memory=figures.memory_of(looks),
        start=figures.start_of(STARTS),
        healing=tuple(map(figures.healing_of, found)),
    )


def missed(found: Figures) -> list[str]:
    return [row.what for row in rows(found) if not row.met]


@pytest.mark.parametrize(
    ("values", "part", "found"),
    [
        ([3, 1, 2], 0.5, 2),
        ([1], 0.99, 1),
        (range(1, 101), 0.99, 99),
        (range(1, 21), 0.99, 20),
        (range(1, 201), 0.99, 198),
    ],
)
def test_a_quantile_is_a_value_that_was_seen(values: list[float], part: float, found: int) -> None:
    assert quantile(list(values), part) == found


def test_times_are_from_before_the_damage() -> None:
    one = figures.healing_of(damage(True, 0.010, 0.020, 0.030))
    assert one.record_median == pytest.approx(20)
    assert one.record_p99 == pytest.approx(30)
    assert one.done_median == pytest.approx(1)
    assert one.healed_median == pytest.approx(1000)


def test_what_keeps_all_goals_misses_none() -> None:
    found = measured(LOOKS, damage(True, 0.05), damage(False, 5.0))
    assert missed(found) == []
    assert "missed" not in page(found, 20)
    assert not any("MISSED" in line for line in lines(found))


def test_each_goal_can_be_missed_and_is_said() -> None:
    bad = LOOKS | {
        "cpu_milliseconds": 19.5,
        "after": {"pss": 46 * MIB, "descriptors": 21},
    }
    found = measured(bad, damage(True, 0.01, 0.051))
    slow = Figures(
        ground=found.ground,
        look=found.look,
        memory=found.memory,
        start=figures.start_of(STARTS | {"seconds": [0.6], "boot_seconds": [0.7]}),
        healing=found.healing,
    )
    assert len(missed(slow)) == len(rows(slow)) == 7
    assert page(slow, 20).count("**missed**") == 7
    assert sum("MISSED" in line for line in lines(slow)) == 7


@pytest.mark.parametrize("seen", ["event", "event: iptables (pid 4711)", "look"])
def test_what_the_agent_says_of_a_record_is_read(seen: str) -> None:
    said = text(DriftLine("network/cbr0", seen, ("make the bridge (again)", "b"), 12.34))
    told = TOLD.match(said)
    assert told is not None
    assert told.groups() == ("network/cbr0", "12.3")


def test_eight_kinds_of_damage_and_one_of_them_unheard() -> None:
    all_of_them = damages("10.10.0.1/24")
    assert len({one.name for one in all_of_them}) == 8
    assert [one.name for one in all_of_them if not one.event] == ["kernel parameter set"]
