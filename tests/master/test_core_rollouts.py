"""Rollouts by core: a store in memory, nodes that play themselves, every decision the machine's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.rollouts import RolloutAsk, RolloutNode, RolloutView
from saltern_master.api.service import ServiceError
from saltern_master.records.revisions import applied_revision, read_pinned
from saltern_master.signing.home import Home

from tests.master.core_laws import run
from tests.master.core_stand import Stand
from tests.master.homes import made_home
from tests.master.playing import (
    FAST,
    THREE,
    Player,
    applied,
    file_of,
    phase,
    played,
    ready,
    rolled,
    stages,
    steer,
    until,
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


async def refused(stand: Stand, number: int, action: str) -> str:
    with pytest.raises(ServiceError) as caught:
        await steer(stand, number, action)
    assert caught.value.code == "conflict"
    return str(caught.value)


def test_all_get_it_wave_by_wave_and_it_is_applied_at_the_end(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        number = await rolled(stand, file_of(2, *THREE), replace(FAST, waves=("66%", "100%")))
        assert (await stand.service.status()).revision == 1
        view = await phase(stand, number, "done")

        assert [[one.node for one in view.nodes if one.wave == at] for at in range(3)] == [
            ["w1"],
            ["w2"],
            ["w3"],
        ]
        assert stages(view) == dict.fromkeys(THREE, "done")
        assert {one.impact for one in view.nodes} == {"restart"}
        assert [len(one.got) for one in players.values()] == [1, 1, 1]
        assert (view.revision, view.before, view.by, view.ended > 0) == (2, 1, "ann", True)
        assert (await stand.service.status()).revision == applied_revision(stand.store) == 2
        assert (await stand.service.status()).alarms == ()

    run(home, law)


def test_a_canary_that_fails_stops_it_and_nobody_else_saw_it(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "failed"
        number = await rolled(stand, file_of(2, *THREE))
        view = await phase(stand, number, "stopped")
        alarms = (await stand.service.status()).alarms

        assert stages(view) == {"w1": "failed", "w2": "waiting", "w3": "waiting"}
        assert "w1" in view.why
        assert players["w2"].got == players["w3"].got == []
        assert [one.kind for one in alarms] == ["rollout-stopped"]
        with pytest.raises(ServiceError, match=f"rollout {number} is not over") as caught:
            await stand.service.apply(file_of(3, *THREE))
        assert caught.value.code == "conflict"
        assert "saltern rollout abort" in str(caught.value)

        await steer(stand, number, "abort")
        (alarm,) = (await stand.service.status()).alarms
        pinned = read_pinned(stand.store)
        assert (alarm.kind, "w1" in alarm.why, "w2" in alarm.why) == (
            "mixed-revisions",
            True,
            False,
        )
        assert pinned is not None
        assert (pinned.nodes, applied_revision(stand.store)) == (("w1",), 1)
        assert "aborted" in await refused(stand, number, "pause")

    run(home, law)


def test_who_a_rollout_left_behind_is_not_dragged_when_another_joins(home: Home) -> None:
    async def law(stand: Stand) -> None:
        names = (*THREE, "w4")
        players = await played(stand, *THREE)
        await applied(stand, file_of(1, *names))
        players["w2"].says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *names))
        await until(stand, lambda: {"w1", "w2"} <= given(stand, number))
        await steer(stand, number, "abort")
        held = documents(stand)
        await played(stand, "w4")
        await until(stand, lambda: "w4" in documents(stand))  # of the applied revision

        now = documents(stand)
        assert {name: now[name] for name in THREE} == held
        await stand.service.apply(file_of(1, *names))
        assert documents(stand)["w1"] != held["w1"]
        assert documents(stand)["w3"] == held["w3"]
        assert (await stand.service.status()).alarms == ()

    run(home, law)


def given(stand: Stand, number: int) -> set[str]:
    return set(stand.office.driving.book.open[number].turns)


def documents(stand: Stand) -> dict[str, str]:
    peers = stand.office.known.peers
    return {name: one.document.body for name, one in peers.items() if one.document is not None}


def test_a_spent_budget_is_taken_back_by_itself_with_the_same_gates(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        before = {name: one.body for name, one in players.items()}
        players["w2"].says = lambda body: "changed" if body == before["w2"] else "failed"
        strategy = replace(FAST, on_spent="undo", waves=("66%", "100%"))
        number = await rolled(stand, file_of(2, *THREE), strategy)
        view = await phase(stand, number, "aborted")
        undo = await phase(stand, view.undone_by, "done")

        assert (undo.undoes, undo.revision, undo.before) == (number, 1, 2)
        assert stages(undo) == {"w1": "done", "w2": "done"}
        assert {name: one.body for name, one in players.items()} == before
        assert players["w3"].got == []
        assert (await stand.service.status()).revision == 1
        assert (await stand.service.status()).alarms == ()

        await steer(stand, undo.rollout, "undo")
        await until(stand, lambda: undo.rollout + 1 in stand.office.driving.book.open)
        redone = await phase(stand, undo.rollout + 1, "stopped")
        assert (redone.undoes, redone.revision) == (undo.rollout, 2)

    run(home, law)


def test_it_is_paused_resumed_and_passed_over(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(players["w1"].got))
        paused = await steer(stand, number, "pause")
        assert (paused.phase, paused.why) == ("paused", "paused by bob")
        assert "paused" in await refused(stand, number, "pause")
        skipped = await steer(stand, number, "skip", "w1")
        assert stages(skipped)["w1"] == "skipped"
        with pytest.raises(ServiceError) as caught:
            await steer(stand, number, "skip", "w9")
        assert caught.value.code == "not-found"
        await steer(stand, number, "resume")
        done = await phase(stand, number, "done")

        assert stages(done) == {"w1": "skipped", "w2": "done", "w3": "done"}
        assert done.nodes[0].why == "passed over by bob"

    run(home, law)


def test_a_second_one_is_refused_or_waits_for_the_end(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "silent"
        first = await rolled(stand, file_of(2, *THREE))
        with pytest.raises(ServiceError, match=f"rollout {first} is not over") as caught:
            await rolled(stand, file_of(3, *THREE))
        assert caught.value.code == "conflict"
        second = await rolled(stand, file_of(3, *THREE), queue=True)
        third = await rolled(stand, file_of(4, *THREE), queue=True)
        assert (await stand.service.rollout(second)).phase == "queued"
        assert (await stand.service.rollout(0)).rollout == first
        assert (await steer(stand, third, "abort")).phase == "aborted"
        with pytest.raises(ServiceError):
            await rolled(stand, b"nonsense", queue=True)

        players["w1"].says = lambda _: "changed"
        players["w1"].tell(max(stand.office.known.turns), "changed")
        await phase(stand, first, "done")
        done = await phase(stand, second, "done")
        listed = await stand.service.rollouts(2)

        assert (done.before, done.revision) == (2, 3)
        assert [(one.rollout, one.phase, one.nodes) for one in listed] == [
            (third, "aborted", ()),
            (second, "done", ()),
        ]

    run(home, law)


def test_who_is_away_is_set_aside_and_brought_when_it_is_back(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w2"].leave()
        await until(stand, lambda: "w2" in stand.office.known.gone)
        number = await rolled(stand, file_of(2, *THREE))
        view = await phase(stand, number, "done")
        assert stages(view) == {"w1": "done", "w3": "done", "w2": "aside"}
        assert players["w2"].got == []
        assert (await stand.service.status()).alarms == ()

    async def later(stand: Stand) -> None:
        player = Player(stand.nodes["w2"])
        player.attach(stand)
        await until(stand, lambda: bool(player.got))
        number = (await stand.service.rollout(0)).rollout
        async with asyncio.timeout(10):
            while stages(await stand.service.rollout(number))["w2"] != "done":
                await asyncio.sleep(0.01)

    run(home, law, later)


def test_it_is_followed_to_its_end(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand, "w1", "w2")
        number = await rolled(stand, file_of(2, "w1", "w2"))
        seen: list[RolloutNode | RolloutView] = [
            one async for one in stand.service.follow_rollout(number)
        ]
        last = seen[-1]
        assert isinstance(last, RolloutView)
        assert (last.phase, len(last.nodes)) == ("done", 2)
        assert all(one.nodes == () for one in seen[:-1] if isinstance(one, RolloutView))
        assert {one.node for one in seen if isinstance(one, RolloutNode)} == {"w1", "w2"}
        assert [one async for one in stand.service.follow_rollout(number)][-1] == last

    run(home, law)


def test_nothing_to_change_is_done_at_once_and_says_so(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand, "w1")
        view = await stand.service.start_rollout(RolloutAsk())
        assert (view.phase, view.total, view.revision) == ("done", 0, 1)
        assert "nothing to change" in view.notes[0]

    run(home, law)


@pytest.mark.parametrize("wrong", ["file", "strategy", "target", "nothing"])
def test_what_cannot_be_begun_leaves_no_trace(home: Home, wrong: str) -> None:
    async def law(stand: Stand) -> None:
        await played(stand, "w1")
        asks = {
            "file": RolloutAsk(file="nonsense"),
            "strategy": RolloutAsk(
                file=file_of(2, "w1").decode(), strategy=replace(FAST, waves=())
            ),
            "target": RolloutAsk(file=file_of(2, "w1").decode(), target="colour=red"),
            "nothing": RolloutAsk(),
        }
        with pytest.raises(ServiceError) as caught:
            await stand.service.start_rollout(asks[wrong])

        assert caught.value.code == ("conflict" if wrong == "nothing" else "invalid")
        assert await stand.service.rollouts(10) == ()
        assert stand.store.list("revisions/") == ()
        assert (await stand.service.apply(file_of(2, "w1"))).revision == 1

    run(home, law)


def test_a_target_leaves_the_others_where_they_are_until_all_are_brought(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        number = await rolled(stand, file_of(2, *THREE), target="name=w2")
        view = await phase(stand, number, "done")
        assert list(stages(view)) == ["w2"]
        (alarm,) = (await stand.service.status()).alarms
        assert alarm.kind == "mixed-revisions"
        again = await phase(stand, await rolled(stand, file_of(2, *THREE), target="w2"), "done")
        assert (again.total, again.revision) == (0, 2)
        assert read_pinned(stand.store) is not None
        rest = await phase(stand, await rolled(stand, file_of(2, *THREE)), "done")

        assert list(stages(rest)) == ["w1", "w3"]
        assert [len(one.got) for one in players.values()] == [1, 1, 1]
        assert (await stand.service.status()).alarms == ()

    run(home, law)


def test_an_agent_that_is_not_well_keeps_the_next_wave_waiting(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, "w1", "w2")
        players["w1"].health = "not converged"
        number = await rolled(stand, file_of(2, "w1", "w2"))
        await until(stand, lambda: bool(players["w1"].got))
        async with asyncio.timeout(10):
            while "not converged" not in (await stand.service.rollout(number)).waits_for:
                await asyncio.sleep(0.01)
        assert players["w2"].got == []
        players["w1"].health = "converged"
        players["w1"].node.say(players["w1"].node.health())
        await phase(stand, number, "done")

    run(home, law)
