"""Two machines with one key: both are shut out and told, nothing is reverted, the others go on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from saltern_master.api.service import ServiceError
from saltern_master.front.frames import Up
from saltern_master.signing.home import Home
from saltern_master.store import Memory
from saltern_protocol import messages
from saltern_protocol.messages import Lease, Refused
from saltern_protocol.token import JoinToken

from tests.master.clusters import SMALL
from tests.master.core_stand import Node, Stand, core_stand, enrol_of
from tests.master.homes import made_home

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"
ONE_, OTHER = b"1" * 16, b"2" * 16


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return made_home(tmp_path_factory.mktemp("master"))


def greet(node: Node, instance: bytes) -> None:
    """Say Hello on a connection of its own, as the front tells it."""
    node.front.say(Up(key=node.key))
    node.say(node.hello(instance=instance))


async def cloned(node: Node) -> Refused:
    for instance in (ONE_, OTHER, ONE_, OTHER):
        greet(node, instance)
        await node.hear(Lease)
    greet(node, ONE_)
    return await node.hear(Refused)


async def until_shut_out(stand: Stand, node: Node) -> None:
    async with asyncio.timeout(10):
        while node.key in stand.front.allowed:
            await asyncio.sleep(0.01)


def test_both_are_shut_out_at_once_and_the_alarm_says_what_to_do(tmp_path: Path) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            w1, w2 = await stand.joined("w1", "w2")
            turn = await stand.service.apply(TWO.encode())
            told = await cloned(w1)
            await until_shut_out(stand, w1)

            assert told.reason == "locked"
            (expelled,) = stand.front.expelled
            assert (expelled.key, expelled.reason) == (w1.key, "locked")
            assert "saltern node unlock" in expelled.why
            view = await stand.service.status()
            assert [(one.kind, one.node) for one in view.alarms] == [("locked", "w1")]
            assert view.alarms[0].since > 0
            assert {one.name: one.state for one in view.nodes} == {"w1": "locked", "w2": "joined"}
            assert sum("alarm: locked (w1)" in line for line in stand.log) == 1
            stand.front.allowed.add(w1.key)  # a front that lets it through all the same
            greet(w1, OTHER)
            await w2.fetch()
            assert stand.office.desk.seen.counts["of no node"] == 1
            results = {one.node: one.result for one in (await stand.service.turn(turn.turn)).nodes}
            assert results["w1"] == "refused"

    asyncio.run(law())


def test_a_locked_node_changes_nothing_for_the_others(tmp_path: Path) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            w1, w2 = await stand.joined("w1", "w2")
            turn = await stand.service.apply(TWO.encode())
            for node in (w1, w2):
                await node.fetch()
                await node.report(node.applied(turn.turn, "changed"))
            held = w2.held
            await cloned(w1)
            again = await stand.service.apply(TWO.encode())
            standing = {one.node: (one.result, one.version) for one in again.nodes}

            assert standing["w1"][0] == "refused"
            assert standing["w2"] == ("waiting", held)
            assert (await stand.service.node("w1")).wanted == w1.held

    asyncio.run(law())


def test_it_stays_locked_over_a_restart_and_comes_back_when_it_is_unlocked(home: Home) -> None:
    async def law() -> None:
        memory = Memory()
        async with core_stand(home, memory) as stand:
            (w1,) = await stand.joined("w1")
            await cloned(w1)
            await until_shut_out(stand, w1)
        async with core_stand(home, memory) as stand:
            assert stand.front.allowed == set()
            assert [one.kind for one in (await stand.service.status()).alarms] == ["locked"]
            with pytest.raises(ServiceError) as caught:
                await stand.service.make_token("w1", "worker", 60, False)
            assert caught.value.code == "conflict"
            assert (await stand.service.unlock("w1")).state == "joined"
            w1.front = stand.front
            async with asyncio.timeout(10):
                while w1.key not in stand.front.allowed:
                    await asyncio.sleep(0.01)
            await w1.connect(instance=OTHER)
            assert (await stand.service.status()).alarms == ()
            with pytest.raises(ServiceError, match="not locked"):
                await stand.service.unlock("w1")

    asyncio.run(law())


def test_the_key_of_a_node_that_was_forgotten_while_locked_never_comes_back(
    tmp_path: Path,
) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            (w1,) = await stand.joined("w1")
            await cloned(w1)
            await stand.service.remove("w1", False)
            made = await stand.service.make_token("w1", "worker", 60, False)
            answer = await stand.front.knock(w1.key, enrol_of(JoinToken.parse(made.token)))
            assert isinstance(answer, Refused)
            assert answer.reason == "revoked"

    asyncio.run(law())


@pytest.mark.parametrize(
    "told",
    [
        [ONE_] * 6,
        [bytes([n]) * 16 for n in range(30)],
        [ONE_, OTHER, ONE_, OTHER],
    ],
    ids=["one connection after the other", "started thirty times", "a late Hello"],
)
def test_an_honest_node_is_not_locked(home: Home, told: list[bytes]) -> None:
    async def law() -> None:
        async with core_stand(home) as stand:
            (w1,) = await stand.joined("w1")
            for instance in told:
                greet(w1, instance)
                await w1.hear(Lease)
            assert (await stand.service.node("w1")).state == "joined"

    asyncio.run(law())


def test_a_node_that_joined_anew_begins_with_nothing_counted(tmp_path: Path) -> None:
    async def law() -> None:
        async with core_stand(made_home(tmp_path)) as stand:
            (w1,) = await stand.joined("w1")
            for instance in (ONE_, OTHER, ONE_, OTHER):
                greet(w1, instance)
                await w1.hear(Lease)
            await stand.service.remove("w1", True)
            (anew,) = await stand.joined("w1")
            for instance in (ONE_, OTHER, ONE_, OTHER):
                greet(anew, instance)
                await anew.hear(Lease)
            assert (await stand.service.node("w1")).state == "joined"

    asyncio.run(law())


def test_the_lease_says_over_how_long_to_spread(home: Home) -> None:
    async def law() -> None:
        async with core_stand(home) as stand:
            made = await stand.service.make_token("w9", "worker", 60, False)
            await stand.join(made.token)
            lease = await stand.nodes["w9"].connect()
            assert isinstance(lease, messages.Lease)
            assert lease.spread == 1

    asyncio.run(law())
