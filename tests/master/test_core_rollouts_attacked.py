"""Rollouts that once went on, or took back, where they were not to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.service import ServiceError
from saltern_master.records.revisions import dropped
from saltern_master.signing.home import Home
from saltern_protocol.messages import Fetch, Report
from saltern_protocol.report import Hindrance
from saltern_protocol.testing import key

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
    ready,
    rolled,
    stages,
    steer,
    until,
)
from tests.master.test_core_roots import rotate

FOUR = (*THREE, "w4")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def body_of(stand: Stand, name: str) -> str:
    document = stand.office.known.peers[name].document
    assert document is not None
    return document.body


async def undone_by(stand: Stand, number: int) -> int:
    """Wait for the rollout that takes this one back; give its number."""
    async with asyncio.timeout(10):
        while not (found := (await stand.service.rollout(number)).undone_by):
            await asyncio.sleep(0.01)
    return found


async def told(stand: Stand, players: dict[str, Player], health: str, *names: str) -> None:
    """Let nodes say that they are not well."""
    for name in names:
        players[name].health = health
        players[name].node.say(players[name].node.health(health))
    peers = stand.office.known.peers
    await until(stand, lambda: all(_state(peers[name].health) == health for name in names))


def _state(health: object) -> str:
    return str(getattr(health, "state", ""))


def test_where_no_agent_is_well_and_kubernetes_is_silent_the_canary_still_stops_it(
    home: Home,
) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *FOUR)
        await told(stand, players, "blocked", *FOUR)
        for one in players.values():
            one.says = lambda _: "failed"
        number = await rolled(stand, file_of(2, *FOUR))
        stopped = await phase(stand, number, "stopped", "done")

        assert stages(stopped) == {
            "w1": "failed",
            "w2": "waiting",
            "w3": "waiting",
            "w4": "waiting",
        }
        assert [len(one.got) for one in players.values()] == [1, 0, 0, 0]

    run(home, law)


def test_one_dead_machine_does_not_stop_the_others(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *FOUR)
        await told(stand, players, "blocked", "w3")
        players["w3"].says = lambda _: "blocked"
        number = await rolled(stand, file_of(2, *FOUR))
        done = await phase(stand, number, "done")

        assert stages(done) == {"w3": "failed", "w1": "done", "w2": "done", "w4": "done"}
        assert done.nodes[0].node == "w3"

    run(home, law)


def test_an_undo_reaches_who_was_away_before_it_takes_what_is_undone(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        good = body_of(stand, "w2")
        players["w2"].leave()
        await until(stand, lambda: "w2" in stand.office.known.gone)
        number = await rolled(stand, file_of(2, *THREE))
        await phase(stand, number, "done")
        await until(stand, lambda: body_of(stand, "w2") != good)  # it waits there for w2

        await steer(stand, number, "undo")
        back = await phase(stand, await undone_by(stand, number), "done")
        await until(stand, lambda: body_of(stand, "w2") == good)
        assert stages(back) == {"w1": "done", "w2": "aside", "w3": "done"}
        players["w2"].connect()
        async with asyncio.timeout(10):
            while stages(await stand.service.rollout(back.rollout))["w2"] != "done":
                await asyncio.sleep(0.01)

        assert set(players["w2"].got) <= {good}
        assert (await stand.service.status()).alarms == ()

    run(home, law)


def test_who_was_passed_over_after_it_was_given_is_taken_back_too(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        before = {name: body_of(stand, name) for name in THREE}
        players["w1"].says = lambda body: "changed" if body == before["w1"] else "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(players["w1"].got))
        await steer(stand, number, "skip", "w1")
        await phase(stand, number, "done")
        await steer(stand, number, "undo")
        back = await phase(stand, await undone_by(stand, number), "done")

        assert stages(back) == dict.fromkeys(THREE, "done")
        assert {name: body_of(stand, name) for name in THREE} == before

    run(home, law)


def test_what_is_aborted_is_not_taken_back_by_itself(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE), replace(FAST, on_spent="undo"))
        await until(stand, lambda: bool(players["w1"].got))
        stand.store.commit(*dropped((1,)))  # so that the undo cannot begin
        players["w1"].tell(max(stand.office.known.turns), "failed")
        players["w1"].says = lambda _: "changed"
        await phase(stand, number, "stopped")
        async with asyncio.timeout(10):
            while not any(
                "kept no longer" in one for one in (await stand.service.rollout(number)).notes
            ):
                await asyncio.sleep(0.01)
        await steer(stand, number, "abort")
        assert (await stand.service.rollout(number)).undo == ""
        await steer(stand, number, "undo")  # it is tried again, and is let be again
        await until(stand, lambda: sum("kept no longer" in one for one in stand.log) == 2)
        await steer(stand, number, "abort")
        await applied(stand, file_of(3, *THREE))

        assert (await stand.service.rollout(number)).undone_by == 0
        assert [one.rollout for one in await stand.service.rollouts(10)] == [number]

    run(home, law)


def test_a_word_after_the_abort_is_kept_and_nothing_is_left_open(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(players["w1"].got))
        turn = max(stand.office.known.turns)
        await steer(stand, number, "abort")
        players["w1"].tell(turn, "changed")
        await until(stand, lambda: number not in stand.office.driving.book.open)

        assert stages(await stand.service.rollout(number))["w1"] == "done"

    run(home, law)


def test_who_fails_says_which_resource_it_could_not_have(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        w1 = players["w1"]
        w1.says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(w1.got))
        w1.node.seq += 1
        turn = max(stand.office.known.turns)
        stuck = (
            Hindrance(resource="extra", outcome="failed", why="no directory"),
            Hindrance(resource="unit", outcome="blocked", why="so"),
        )
        item = replace(w1.node.applied(turn, "failed"), why="", hindrances=stuck)
        w1.node.say(Report(first=w1.node.seq, items=(item,)))
        stopped = await phase(stand, number, "stopped")

        assert stopped.nodes[0].why == "extra: no directory; unit: so"

    run(home, law)


def test_who_is_locked_before_its_turn_is_passed_over_and_says_why(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        players["w1"].says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(players["w1"].got))
        del stand.front.answering[players["w3"].node.key]
        await stand.lock("w3")
        players["w1"].tell(max(stand.office.known.turns), "changed")
        done = await phase(stand, number, "done")

        assert stages(done) == {"w1": "done", "w2": "done", "w3": "skipped"}
        assert "two machines have its key" in done.nodes[2].why

    run(home, law)


def test_room_for_a_group_of_nobody_is_said(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand, *THREE)
        strategy = replace(FAST, max_unavailable={"workr": "2"})
        number = await rolled(stand, file_of(2, *THREE), strategy)

        said = "maxUnavailable of workr counts for nobody: the nodes of this rollout are of worker"
        assert said in (await stand.service.rollout(number)).notes

    run(home, law)


def test_a_node_whose_document_is_signed_anew_in_its_turn_is_not_passed_over(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await ready(stand, *THREE)
        w1 = players["w1"]
        w1.says = lambda _: "silent"
        number = await rolled(stand, file_of(2, *THREE))
        await until(stand, lambda: bool(w1.got))
        turn, body = max(stand.office.known.turns), bytes.fromhex(w1.body)
        w1.says = lambda _: "changed"
        overtaken = w1.node.applied(turn, "superseded", body=body)
        w1.here = False  # it is at work on the first one
        rotate(home, "state", key(50))
        await stand.office.rolling.renew()
        w1.node.seq += 1
        w1.node.say(Report(first=w1.node.seq, items=(overtaken,)))
        w1.here = True
        w1.node.say(Fetch())
        done = await phase(stand, number, "done")

        assert stages(done) == dict.fromkeys(THREE, "done")

    run(home, law)


def test_what_policy_does_not_allow_is_told_once(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await ready(stand, *THREE)
        more = "resources: [{id: x, spec: {kind: file/1, path: /boot/x, text: x}}]"
        file = (
            file_of(2, *THREE)
            .decode()
            .replace("match: role=worker,", f"match: role=worker, {more},")
        )
        with pytest.raises(ServiceError) as caught:
            await stand.service.apply(file.encode())

        assert len(caught.value.faults) == 3
        assert "/boot/x" in caught.value.faults[0]
        assert "/boot/x" not in str(caught.value)

    run(home, law)
