"""What who follows a rollout hears, in memory and of core: each move, each head, and its end."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from itertools import pairwise

from saltern_master.api.rollouts import RolloutNode, RolloutView, Steering

from tests.contracts.service_stands import Run, Stand, refused, run
from tests.contracts.test_rolling_out import THIRD, ask, ready, steer

__all__ = ["run"]


async def heard(stand: Stand, number: int) -> list[RolloutNode | RolloutView]:
    """Follow a rollout to its end."""
    async with aclosing(stand.service.follow_rollout(number)) as events:  # type: ignore[type-var]
        return [one async for one in events]


def test_who_follows_hears_each_node_to_its_end_and_the_whole_last(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand)
        number = (await stand.service.start_rollout(ask())).rollout
        following = asyncio.create_task(heard(stand, number))
        await asyncio.sleep(0)  # it listens
        await stand.carry(number, {})
        *events, last = await following

        assert last == await stand.service.rollout(number)
        ends = {one.node: one.stage for one in events if isinstance(one, RolloutNode)}
        assert ends == {"w1": "done", "w2": "done"}
        moves = [(one.node, one.stage) for one in events if isinstance(one, RolloutNode)]
        assert moves.index(("w1", "done")) < moves.index(("w2", "done"))
        heads = [one for one in events if isinstance(one, RolloutView)]
        assert all(one.rollout == number and one.nodes == () for one in heads)
        assert all(one.wave <= other.wave for one, other in pairwise(heads))
        assert {one.phase for one in heads} <= {"running", "done"}

    run(law)


def test_one_that_is_stopped_is_followed_on_until_somebody_ends_it(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand)
        number = (await stand.service.start_rollout(ask())).rollout
        following = asyncio.create_task(heard(stand, number))
        await asyncio.sleep(0)  # it listens
        await stand.carry(number, {"w1": "failed"})
        assert not following.done()
        await steer(stand, number, "abort")
        *events, last = await following

        assert isinstance(last, RolloutView)
        assert (last.phase, last.why) == ("aborted", "aborted by bob")
        phases = [one.phase for one in events if isinstance(one, RolloutView)]
        assert "stopped" in phases
        assert [one.stage for one in events if isinstance(one, RolloutNode)][-1] == "failed"

    run(law)


def test_one_that_waits_for_another_is_followed_from_its_queue(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand)
        first = (await stand.service.start_rollout(ask())).rollout
        second = (await stand.service.start_rollout(ask(THIRD, queue=True))).rollout
        following = asyncio.create_task(heard(stand, second))
        await asyncio.sleep(0)  # it listens
        await stand.carry(first, {})
        await stand.carry(second, {})
        *_, last = await following

        assert isinstance(last, RolloutView)
        assert (last.phase, len(last.nodes)) == ("done", 2)
        assert [one.rollout for one in await stand.service.rollouts(1)] == [second]
        assert [one.rollout for one in await stand.service.rollouts(9)] == [second, first]

    run(law)


def test_nothing_is_taken_back_while_another_goes_on(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand)
        first = (await stand.service.start_rollout(ask())).rollout
        await stand.carry(first, {})
        await stand.service.start_rollout(ask(THIRD))

        assert (await refused(steer(stand, first, "undo"))).code == "conflict"

    run(law)


def test_a_person_takes_back_what_was_done(run: Run) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand)
        first = (await stand.service.start_rollout(ask())).rollout
        await stand.carry(first, {})
        steered = await stand.service.steer_rollout(first, Steering(action="undo", by="bob"))
        assert steered.rollout == first
        while not (await stand.service.rollout(first)).undone_by:
            await asyncio.sleep(0)  # its nodes are asked first; the law has a deadline
        await stand.carry(first + 1, {})
        undo = await stand.service.rollout(first + 1)
        old = await stand.service.rollout(first)

        assert (undo.phase, undo.undoes, undo.revision) == ("done", first, 1)
        assert (old.phase, old.undone_by) == ("done", undo.rollout)
        assert {one.stage for one in undo.nodes} == {"done"}
        again = await refused(steer(stand, first, "undo"))
        assert again.code == "conflict"

    run(law)
