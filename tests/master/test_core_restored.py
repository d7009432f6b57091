"""A core on a store that was brought back from an older copy (threat A11): told, and caught up."""

from __future__ import annotations

import asyncio
import secrets
from pathlib import Path

import pytest
from saltern_master.core.known import Known
from saltern_master.records.restored import AHEAD, restored
from saltern_master.signing.home import Home
from saltern_master.store import Memory, MemoryStore
from saltern_protocol.messages import Poke, Refused
from saltern_protocol.token import JoinToken

from tests.master.clusters import SMALL
from tests.master.core_laws import taken
from tests.master.core_stand import Node, Stand, core_stand, enrol_of, now
from tests.master.homes import made_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def copy(memory: Memory) -> Memory:
    other = Memory()
    other.entries, other.revision = dict(memory.entries), memory.revision
    return other


def older(memory: Memory, mark: bool) -> Memory:
    """Give yesterday's store, as a restore leaves it, or as a plain copy is."""
    if mark:
        store = MemoryStore(memory)
        store.commit(*restored(store, now() - 86400, now()))
    return memory


def file(text: str) -> bytes:
    own = f"resources: [{{id: d, spec: {{kind: directory/1, path: /etc/docker/{text}}}}}]\n"
    return (SMALL + own).encode()


async def yesterday_and_today(home: Home, memory: Memory) -> tuple[Memory, Node, int]:
    """Apply, copy the store, apply twice more; give the copy, the node, the next turn."""
    async with core_stand(home, memory) as stand:
        (w1,) = await stand.joined("w1")
        await taken(await stand.service.apply(file("a")), w1)
        kept = copy(memory)
        after = await stand.service.apply(file("b"))
        await taken(after, w1)
        await taken(await stand.service.apply(file("c")), w1)
        return kept, w1, after.turn


def alarmed(stand: Stand) -> dict[tuple[str, str], str]:
    return {(one.kind, one.node): one.remedy for one in stand.office.look_for_alarms()}


@pytest.mark.parametrize("mark", [True, False], ids=["restored", "copied"])
def test_the_operator_is_told_and_the_next_apply_is_newer_than_both(home: Home, mark: bool) -> None:
    async def whole() -> None:
        kept, w1, _ = await yesterday_and_today(home, Memory())
        held = w1.held
        async with core_stand(home, older(kept, mark)) as stand:
            w1.front = stand.front
            stand.nodes["w1"] = w1
            lease = await w1.connect()
            told = alarmed(stand)
            assert ("ahead", "w1") in told
            assert (("restored", "") in told) == mark
            assert "apply again" in told["ahead", "w1"]
            assert w1.held == held
            assert lease is not None
            turn = await stand.service.apply(file("a"))
            await w1.hear(Poke)
            await w1.fetch()
            assert w1.held > held
            await w1.report(w1.applied(turn.turn, "changed"))
            assert alarmed(stand) == {}
            assert [line for line in stand.log if line.startswith("alarm: ahead (w1)")]

    asyncio.run(whole())


def test_who_is_not_connected_gets_no_version_twice(home: Home) -> None:
    """An apply while it is away is newer than what it holds, though nobody could ask it."""

    async def whole() -> None:
        kept, w1, _ = await yesterday_and_today(home, Memory())
        async with core_stand(home, older(kept, True)) as stand:
            await stand.service.apply(file("d"))
            issued = stand.office.known.peers["w1"].document
            assert issued is not None
            assert issued.version > AHEAD > w1.held
            w1.front = stand.front
            await w1.connect()
            await w1.fetch()
            assert alarmed(stand) == {}

    asyncio.run(whole())


def test_a_word_on_a_turn_of_the_time_after_the_copy_counts_in_no_other(home: Home) -> None:
    async def whole() -> None:
        kept, w1, lost = await yesterday_and_today(home, Memory())
        async with core_stand(home, older(kept, True)) as stand:
            turn = await stand.service.apply(file("d"))
            assert turn.turn > AHEAD
            w1.front = stand.front
            await w1.connect()
            await w1.report(w1.applied(lost, "changed"))
            assert (await stand.service.turn(turn.turn)).nodes[0].result != "changed"

    asyncio.run(whole())


def test_the_mark_stays_until_somebody_applies(home: Home) -> None:
    async def whole() -> None:
        kept, _, _ = await yesterday_and_today(home, Memory())
        memory = older(kept, True)
        for _ in range(2):
            async with core_stand(home, memory) as stand:
                assert ("restored", "") in alarmed(stand)
                await stand.joined(f"x{memory.revision}")  # rolled out by itself, by no person
        async with core_stand(home, memory) as stand:
            await stand.service.apply(file("d"))
            assert ("restored", "") not in alarmed(stand)
        known = Known()
        known.load(MemoryStore(memory), now())
        assert known.restored is None
        assert known.newest_turn > AHEAD

    asyncio.run(whole())


def test_a_node_that_joined_since_is_a_stranger_and_joins_again(home: Home) -> None:
    async def whole() -> None:
        memory = Memory()
        async with core_stand(home, memory) as stand:
            kept = copy(memory)
            await stand.joined("w1")
        async with core_stand(home, older(kept, True)) as stand:
            assert stand.office.known.peers == {}
            (again,) = await stand.joined("w1")
            turn = await stand.service.apply(file("a"))
            await taken(turn, again)
            assert again.held == 1  # another incarnation: its versions begin anew

    asyncio.run(whole())


def test_a_node_that_was_revoked_since_is_a_node_again_until_it_is_revoked_again(
    home: Home,
) -> None:
    async def whole() -> None:
        memory = Memory()
        async with core_stand(home, memory) as stand:
            await stand.joined("w1")
            kept = copy(memory)
            await stand.service.revoke("w1")
        async with core_stand(home, older(kept, True)) as stand:
            (alarm,) = stand.office.look_for_alarms()
            assert "who was revoked since may speak again" in alarm.why
            assert set(stand.office.known.peers) == {"w1"}
            await stand.service.revoke("w1")
            assert stand.office.known.peers == {}

    asyncio.run(whole())


@pytest.mark.parametrize("approval", [False, True], ids=["secret", "approval"])
def test_a_token_of_the_copy_is_not_used_twice(home: Home, approval: bool) -> None:
    async def whole() -> None:
        memory = Memory()
        async with core_stand(home, memory) as stand:
            made = await stand.service.make_token("w1", "worker", 3600, approval)
            kept = copy(memory)
            fingerprint = await stand.join(made.token)
            if approval:
                await stand.service.approve("w1", fingerprint)
        async with core_stand(home, older(kept, mark=True)) as stand:
            token = JoinToken.parse(made.token)
            answer = await stand.front.knock(secrets.token_bytes(32), enrol_of(token))
            assert isinstance(answer, Refused)
            assert answer.reason == "token"
            await stand.joined("w1")  # by a new one

    asyncio.run(whole())
