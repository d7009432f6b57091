"""What moved since a plan was made, in words: a table. Pure."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from saltern_master.api.plans import NodePlan, PlanLineView
from saltern_master.core.stale import moved, stale

WRITE = PlanLineView(
    resource="motd",
    verb="hold",
    finding="to change",
    change="write /etc/motd (4 bytes)",
    impact="none",
    detail="-one\n+two\n",
)
DRIFTED = replace(WRITE, detail="-six\n+two\n")
STOP = PlanLineView(
    resource="old", verb="remove", finding="to change", change="stop it", impact="restart"
)


def plan_of(*lines: PlanLineView) -> NodePlan:
    return NodePlan(
        node="w1", result="planned", changes=len(lines), lines=lines, digest=f"{hash(lines)}"
    )


@pytest.mark.parametrize(
    ("before", "now", "told"),
    [
        (
            (WRITE,),
            (DRIFTED,),
            "from another state, or to another, than was shown it would hold motd: "
            "write /etc/motd (4 bytes)",
        ),
        ((WRITE,), (WRITE, STOP), "it would now remove old: stop it"),
        ((WRITE, STOP), (WRITE,), "it would no more remove old: stop it"),
        (
            (WRITE,),
            (DRIFTED, STOP),
            "it would now remove old: stop it; "
            "from another state, or to another, than was shown it would hold motd: "
            "write /etc/motd (4 bytes)",
        ),
        ((WRITE,), (WRITE,), "it would do the same to something else: what it found there"),
    ],
)
def test_what_moved_is_told(
    before: tuple[PlanLineView, ...], now: tuple[PlanLineView, ...], told: str
) -> None:
    assert moved("w1", plan_of(*before), plan_of(*now)).startswith(f"w1: {told}")


def test_the_refusal_names_one_node_and_counts_many() -> None:
    assert "stale for w1;" in str(stale({"w1": "w1: x"}))
    many = stale({"w2": "w2: y", "w1": "w1: x"})

    assert "stale for 2 nodes; nothing was begun. Plan again" in str(many)
    assert many.faults == ("w1: x", "w2: y")
