"""What a rollout is to whom it is told: the laws of RollingOut, on every stand of services."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from saltern_master.api.plans import PlanLineView
from saltern_master.api.rollouts import Action, RolloutAsk, RolloutNode, RolloutView, Steering
from saltern_master.rollouts.strategy import Strategy

from tests.contracts.service_stands import TWO, Run, Stand, joined, refused, run
from tests.master.test_cluster_file import SIX_MISTAKES

__all__ = ["run"]

FAST = Strategy(canary="1", waves=("100%",), soak=0, hold=0)
RESTART = PlanLineView(
    resource="docker/docker.service",
    verb="hold",
    finding="to change",
    change="restart docker.service",
    impact="restart",
)
OTHER = TWO + "groups: [{match: role=worker, sysctls: {vm.max_map_count: '300000'}}]\n"
THIRD = TWO + "groups: [{match: role=worker, sysctls: {vm.max_map_count: '400000'}}]\n"


async def ready(stand: Stand) -> None:
    """Let two nodes have their first document, and be restarted by any other."""
    await joined(stand, "w1", "w2")
    turn = (await stand.service.apply(TWO.encode())).turn
    for name in ("w1", "w2"):
        await stand.report(turn, name, "converged")
        await stand.foresee(name, RESTART)


def ask(file: str = OTHER, strategy: Strategy = FAST, **more: object) -> RolloutAsk:
    return RolloutAsk(file=file, strategy=strategy, by="ann", **more)  # type: ignore[arg-type]


async def steer(stand: Stand, number: int, action: Action, node: str = "") -> RolloutView:
    steering = Steering(action=action, node=node, by="bob")
    return await stand.service.steer_rollout(number, steering)


def stages(view: RolloutView) -> dict[str, str]:
    return {one.node: one.stage for one in view.nodes}


def test_it_begins_with_the_canary_and_ends_with_all(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await ready(stand)
        begun = await service.start_rollout(ask())
        assert (begun.phase, begun.wave, begun.waves, begun.total) == ("running", 0, 2, 2)
        assert (begun.revision, begun.before, begun.by) == (2, 1, "ann")
        assert stages(begun) == {"w1": "applying", "w2": "waiting"}
        assert (await service.status()).revision == 1

        await stand.carry(begun.rollout, {})
        done = await service.rollout(begun.rollout)
        assert (done.phase, done.ended >= begun.began) == ("done", True)
        assert stages(done) == {"w1": "done", "w2": "done"}
        assert done.stages == {"done": 2}
        assert (await service.status()).revision == 2
        assert await service.rollout(0) == done
        (listed,) = await service.rollouts(10)
        assert (listed.rollout, listed.phase, listed.nodes) == (begun.rollout, "done", ())

    run(law)


def test_a_canary_that_fails_stops_it(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await ready(stand)
        number = (await service.start_rollout(ask())).rollout
        await stand.carry(number, {"w1": "failed"})
        stopped = await service.rollout(number)
        assert (stopped.phase, stages(stopped)["w2"]) == ("stopped", "waiting")
        assert "w1" in stopped.why
        assert (stopped.failed, stopped.may_fail) == (1, 0)

        assert (await refused(service.apply(TWO.encode()))).code == "conflict"
        assert (await steer(stand, number, "abort")).phase == "aborted"
        assert (await refused(steer(stand, number, "abort"))).code == "conflict"
        assert (await refused(steer(stand, number, "pause"))).code == "conflict"
        assert (await service.apply(TWO.encode())).revision >= 1

    run(law)


def test_it_is_paused_and_resumed_and_a_node_is_passed_over(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand)
        number = (await stand.service.start_rollout(ask())).rollout
        paused = await steer(stand, number, "pause")
        assert (paused.phase, paused.why) == ("paused", "paused by bob")
        assert (await refused(steer(stand, number, "pause"))).code == "conflict"
        assert (await refused(steer(stand, number, "skip", "w9"))).code == "not-found"
        assert stages(await steer(stand, number, "skip", "w2"))["w2"] == "skipped"
        assert (await steer(stand, number, "resume")).phase == "running"
        await stand.carry(number, {})

        assert stages(await stand.service.rollout(number)) == {"w1": "done", "w2": "skipped"}

    run(law)


def test_another_is_refused_or_waits(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await ready(stand)
        first = (await service.start_rollout(ask())).rollout
        assert (await refused(service.start_rollout(ask(THIRD)))).code == "conflict"
        second = await service.start_rollout(ask(THIRD, queue=True))
        third = await service.start_rollout(ask(TWO, queue=True))
        assert (second.phase, third.phase) == ("queued", "queued")
        assert (await refused(steer(stand, second.rollout, "pause"))).code == "conflict"
        assert (await steer(stand, third.rollout, "abort")).phase == "aborted"
        assert (await service.rollout(0)).rollout == first

        await stand.carry(first, {})
        await stand.carry(second.rollout, {})
        assert (await service.rollout(second.rollout)).phase == "done"
        assert (await service.rollout(third.rollout)).phase == "aborted"

    run(law)


def test_it_is_taken_back_to_the_revision_before(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        await ready(stand)
        strategy = replace(FAST, on_spent="undo")
        number = (await service.start_rollout(ask(strategy=strategy))).rollout
        await stand.carry(number, {"w1": "failed"})
        events = [one async for one in service.follow_rollout(number)]
        over = events[-1]
        assert isinstance(over, RolloutView)
        assert (over.phase, over.undone_by) == ("aborted", number + 1)
        undo = await service.rollout(over.undone_by)
        assert (undo.undoes, undo.revision, list(stages(undo))) == (number, 1, ["w1"])

    run(law)


def test_it_is_followed_to_its_end(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand)
        number = (await stand.service.start_rollout(ask())).rollout
        await stand.carry(number, {})
        events = [one async for one in stand.service.follow_rollout(number)]

        assert events[-1] == await stand.service.rollout(number)
        assert all(isinstance(one, RolloutNode | RolloutView) for one in events)

    run(law)


def test_what_is_wrong_is_told_and_nothing_is_begun(run: Run) -> None:
    async def law(stand: Stand) -> None:
        service = stand.service
        nothing = await refused(service.start_rollout(ask(file="")))
        assert nothing.code == "conflict"
        await joined(stand, "w1", "w2")
        file = await refused(service.start_rollout(ask(SIX_MISTAKES)))
        strategy = await refused(service.start_rollout(ask(strategy=replace(FAST, waves=("0",)))))
        assert (file.code, len(file.faults)) == ("invalid", 6)
        assert (strategy.code, len(strategy.faults)) == ("invalid", 2)
        assert await service.rollouts(10) == ()
        for number in (0, 9):
            assert (await refused(service.rollout(number))).code == "not-found"
            assert (await refused(steer(stand, number, "pause"))).code == "not-found"

    run(law)


@pytest.mark.parametrize("action", ["undo"])
def test_what_had_nothing_before_it_cannot_be_taken_back(run: Run, action: Action) -> None:
    async def law(stand: Stand) -> None:
        await joined(stand, "w1", "w2")
        for name in ("w1", "w2"):
            await stand.foresee(name, RESTART)
        number = (await stand.service.start_rollout(ask(TWO))).rollout
        assert (await refused(steer(stand, number, action))).code == "conflict"

    run(law)
