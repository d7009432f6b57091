"""What a plan is, and what it means to apply one: the laws of Planning, on every stand of services.

Nothing is changed by a plan; what was planned is applied exactly, or refused with all that moved.
"""

from __future__ import annotations

from contextlib import aclosing

import pytest
from saltern_master.api.plans import Expected, NodePlan, PlanLineView, PlanView
from saltern_master.api.service import TurnView

from tests.contracts.service_stands import TWO, Run, Stand, joined, refused, run
from tests.master.clusters import SMALL
from tests.master.test_cluster_file import SIX_MISTAKES

__all__ = ["run"]

MOTD = PlanLineView(
    resource="motd",
    verb="hold",
    finding="to change",
    change="write /etc/motd",
    impact="none",
    detail="--- a\n+++ b\n+hello\n",
    becomes="changed",
)
DOCKER = PlanLineView(
    resource="docker/docker.service",
    verb="hold",
    finding="to change",
    change="restart docker.service",
    impact="restart",
    becomes="changed",
)
GONE = PlanLineView(
    resource="old",
    verb="remove",
    finding="blocked",
    change="it is in use",
    impact="none",
    becomes="hindered",
)


async def planned(stand: Stand, file: str = TWO, target: str = "") -> dict[str, NodePlan]:
    """Plan to the end."""
    plan = await stand.service.plan(file.encode(), target)
    *_, last = [one async for one in stand.service.follow_plan(plan.plan)]
    assert isinstance(last, PlanView)
    return {one.node: one for one in last.nodes}


def expected(*nodes: NodePlan) -> dict[str, Expected]:
    return {one.node: Expected(body=one.body, digest=one.digest) for one in nodes}


def test_each_node_says_what_it_would_change_and_nothing_is_begun(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        plan = await stand.service.plan(TWO.encode(), "")
        async with aclosing(stand.service.follow_plan(plan.plan)) as news:  # type: ignore[type-var]
            await stand.foresee("w2", MOTD, DOCKER, GONE)
            first = await anext(news)
            await stand.foresee("w1")
            second, last = [one async for one in news]

        assert [one.result for one in plan.nodes] == ["waiting", "waiting"]
        assert isinstance(first, NodePlan)
        assert isinstance(second, NodePlan)
        assert (first.node, first.result, first.lines) == ("w2", "planned", (MOTD, DOCKER, GONE))
        assert (first.changes, first.hindered, first.impact) == (2, 1, "restart")
        assert (second.node, second.changes, second.impact) == ("w1", 0, "none")
        assert [len(one.body) for one in (first, second)] == [64, 64]
        assert len({first.digest, second.digest}) == 2
        assert isinstance(last, PlanView)
        assert last.nodes == (second, first)
        assert last.ended >= plan.began
        assert await stand.service.plan_so_far(plan.plan) == last
        status = await stand.service.status()
        assert (status.revision, [one.wanted for one in status.nodes]) == (0, [0, 0])
        assert (await refused(stand.service.turn(1))).code == "not-found"

    run(law)


def test_what_is_found_the_same_is_named_the_same(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        await stand.foresee("w1", MOTD)
        first, again = await planned(stand, SMALL), await planned(stand, SMALL)
        await stand.foresee("w1", DOCKER)
        other = await planned(stand, SMALL)

        assert first == again
        assert other["w1"].body == first["w1"].body
        assert other["w1"].digest != first["w1"].digest

    run(law)


def test_a_node_that_has_not_joined_is_named_and_the_others_are_planned(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        await stand.foresee("w1", MOTD)
        plan = await planned(stand)

        assert {name: one.result for name, one in plan.items()} == {
            "w1": "planned",
            "w2": "refused",
        }
        assert "joined" in plan["w2"].why
        assert plan["w2"].digest == ""

    run(law)


def test_only_those_who_are_meant_are_asked(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        await stand.foresee("w2", MOTD)
        plan = await planned(stand, TWO, "name=w2")
        error = await refused(stand.service.plan(TWO.encode(), "rowl=worker,nme=x"))

        assert list(plan) == ["w2"]
        assert (error.code, len(error.faults)) == ("invalid", 2)

    run(law)


def test_a_node_is_shown_with_what_a_target_asks_of_the_file(run: Run) -> None:
    labelled = SMALL.replace("10.9.0.21}", "10.9.0.21, labels: {zone: a}}")

    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        await stand.foresee("w1", MOTD)
        before = await stand.service.node("w1")
        plan = await planned(stand, labelled, "zone=a,state=joined,connected")
        turn = await stand.service.apply(labelled.encode())
        await stand.report(turn.turn, "w1", "changed")
        after = await stand.service.node("w1")

        assert list(plan) == ["w1"]
        assert (before.labels, before.roles) == ({}, ())
        assert (after.labels, after.roles) == ({"zone": "a"}, ("worker",))
        assert (await stand.service.node("w2")).labels == {}

    run(law)


def test_a_bad_file_is_told_with_all_its_faults(run: Run) -> None:
    async def law(stand: Stand) -> None:
        error = await refused(stand.service.plan(SIX_MISTAKES.encode(), ""))

        assert (error.code, len(error.faults)) == ("invalid", 6)

    run(law)


def test_without_a_file_the_applied_one_is_planned(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        nothing = await refused(stand.service.plan(b"", ""))
        turn = await stand.service.apply(SMALL.encode())
        await stand.foresee("w1")
        await stand.report(turn.turn, "w1", "changed")
        plan = await stand.service.plan(b"", "")

        assert nothing.code == "conflict"
        assert plan.revision == 1
        assert (await planned(stand, SMALL))["w1"].body == (await planned(stand, ""))["w1"].body

    run(law)


def test_a_plan_that_is_not_kept_is_not_found(run: Run) -> None:
    async def law(stand: Stand) -> None:
        assert (await refused(stand.service.plan_so_far(1))).code == "not-found"

    run(law)


def test_what_was_planned_is_applied_to_these_nodes_alone(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        await stand.foresee("w1", MOTD)
        await stand.foresee("w2", DOCKER)
        plan = await planned(stand)
        turn = await stand.service.apply_planned(TWO.encode(), expected(plan["w1"]))
        await stand.report(turn.turn, "w1", "changed")
        *_, last = [one async for one in stand.service.follow_turn(turn.turn)]

        assert isinstance(last, TurnView)
        assert {one.node: one.result for one in last.nodes} == {"w1": "changed"}
        assert (turn.revision, (await stand.service.status()).revision) == (1, 1)
        assert (await stand.service.node("w2")).wanted == 0

    run(law)


def test_what_was_planned_of_the_applied_file_needs_no_file(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        await stand.foresee("w1", MOTD)
        nothing = await refused(
            stand.service.apply_planned(b"", expected(NodePlan(node="w1", body="", digest="")))
        )
        turn = await stand.service.apply(SMALL.encode())
        await stand.report(turn.turn, "w1", "changed")
        plan = await planned(stand, "")
        again = await stand.service.apply_planned(b"", expected(plan["w1"]))

        assert nothing.code == "conflict"
        assert [one.node for one in again.nodes] == ["w1"]

    run(law)


@pytest.mark.parametrize("file", [TWO, SMALL])
def test_all_that_moved_is_told_at_once_and_nothing_is_begun(run: Run, file: str) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        for name in ("w1", "w2"):
            await stand.foresee(name, MOTD)
        plan = await planned(stand)
        for name in ("w1", "w2"):  # in the second file w2 is not any more
            await stand.foresee(name, DOCKER)
        error = await refused(
            stand.service.apply_planned(file.encode(), expected(plan["w1"], plan["w2"]))
        )

        assert error.code == "conflict"
        assert "Plan again" in str(error)
        assert [one.split(":")[0] for one in error.faults] == ["w1", "w2"]
        assert (await stand.service.status()).revision == 0
        assert (await refused(stand.service.turn(1))).code == "not-found"

    run(law)


def test_a_body_that_is_another_is_stale_though_the_node_would_do_the_same(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1")
        await stand.foresee("w1", MOTD)
        plan = await planned(stand, SMALL)
        other = SMALL + "groups: [{match: name=w1, sysctls: {vm.max_map_count: '300000'}}]\n"
        error = await refused(stand.service.apply_planned(other.encode(), expected(plan["w1"])))

        assert (error.code, len(error.faults)) == ("conflict", 1)
        assert error.faults[0].startswith("w1: ")

    run(law)
