"""Rollouts that are disturbed: nodes leave, the front dies, clocks are set, two ask at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.rollouts import RolloutAsk
from saltern_master.api.service import ServiceError
from saltern_master.front.frames import Ready
from saltern_master.records.revisions import dropped
from saltern_master.signing.home import Home

from tests.master.core_laws import run
from tests.master.core_stand import QUICK, Stand, core_stand, now
from tests.master.homes import made_home
from tests.master.playing import (
    FAST,
    THREE,
    file_of,
    phase,
    ready,
    rolled,
    stages,
    steer,
    until,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def test_who_leaves_in_the_meantime_is_passed_over(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(players["w1"].got))
        await stand.service.remove("w2", True)
        players["w1"].tell(max(stand.office.known.turns), "changed")
        done = await phase(stand, number, "done")

        assert stages(done) == {"w1": "done", "w2": "skipped", "w3": "done"}
        assert "no node any more" in done.nodes[1].why

    run(home, law)


def test_who_is_locked_while_it_settles_fails_at_once_and_says_why(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].health = "drifted"
        number = await rolled(stand, file_of(2, *THREE), replace(FAST, on_spent="stop"))
        await until(stand, lambda: bool(players["w1"].got))
        async with asyncio.timeout(5):
            while stages(await stand.service.rollout(number))["w1"] != "settling":
                await asyncio.sleep(0.01)
        del stand.front.answering[players["w1"].node.key]
        await stand.lock("w1")
        stopped = await phase(stand, number, "stopped")  # long before FAST's patience is over

        assert stages(stopped)["w1"] == "failed"
        why = "it is locked: two machines have its key; see saltern status"
        assert stopped.nodes[0].why == why

    run(home, law)


def test_a_front_that_is_started_again_puts_nobody_aside(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(players["w1"].got))
        turn = max(stand.office.known.turns)
        stand.office.lost()
        began = stand.now()
        await until(stand, lambda: stand.now() - began > 2 * QUICK.away)
        assert not any(one.away for one in (await stand.service.rollout(number)).nodes)

        stand.front.say(Ready(link_port=6555, door_port=6556))
        for one in players.values():
            one.connect()
        players["w1"].tell(turn, "changed")
        done = await phase(stand, number, "done")
        assert stages(done) == dict.fromkeys(THREE, "done")

    run(home, law)


def test_what_cannot_be_taken_back_is_said_and_can_be_ended(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "failed"
        number = await rolled(stand, file_of(2, *THREE), replace(FAST, on_spent="stop"))
        await phase(stand, number, "stopped")
        stand.store.commit(*dropped((1,)))
        await steer(stand, number, "undo")
        await until(stand, lambda: any("is kept no longer" in one for one in stand.log))
        assert len([one for one in stand.log if "taken back" in one]) == 1
        assert (await stand.service.apply(file_of(3, *THREE))).revision == 3

    run(home, law)


def test_of_two_operators_at_once_one_begins(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand, *THREE)
        asks = [RolloutAsk(file=file_of(2, *THREE).decode(), strategy=FAST) for _ in range(2)]
        began = await asyncio.gather(
            *map(stand.service.start_rollout, asks), return_exceptions=True
        )
        refusals = [one for one in began if isinstance(one, ServiceError)]
        assert [one.code for one in refusals] == ["conflict"]
        assert len(await stand.service.rollouts(10)) == 1
        await phase(stand, 1, "done")

    run(home, law)


@pytest.mark.parametrize("by", [7200.0, -7200.0])
def test_a_clock_that_is_set_ends_nobodys_patience(home: Home, by: float) -> None:
    async def whole() -> None:
        later = [0.0]
        clock = lambda: now() + later[0]  # noqa: E731
        async with asyncio.timeout(30), core_stand(home, clock=clock) as stand:
            players = await ready(stand, *THREE)
            players["w1"].says = lambda _: "silent"
            number = await rolled(stand, file_of(2, *THREE))
            await until(stand, lambda: bool(players["w1"].got))
            later[0] = by
            began = now()
            await until(stand, lambda: now() - began > 0.5)
            assert stages(await stand.service.rollout(number))["w1"] == "applying"
            players["w1"].tell(max(stand.office.known.turns), "changed")
            done = await phase(stand, number, "done")
            assert stages(done) == dict.fromkeys(THREE, "done")

    asyncio.run(whole())
