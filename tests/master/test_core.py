"""Core as a whole: a store in memory, a front of ours, nodes that say what they are told to."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from saltern_master.api.service import ServiceError, TurnNode, TurnView
from saltern_master.core.turns import Limits
from saltern_master.front.frames import Heard
from saltern_master.records.turns import newest_turn
from saltern_master.signing.home import Home
from saltern_master.store import Memory, MemoryStore, Put, StoreError, Write
from saltern_protocol import messages
from saltern_protocol.envelope import decode
from saltern_protocol.lease import decode_lease
from saltern_protocol.messages import Current, Enrolled, Fetch, Lease, Poke, Refused, Report
from saltern_protocol.token import JoinToken
from saltern_states.body import read_body

from tests.master.clusters import SMALL
from tests.master.core_stand import Node, Stand, core_stand, enrol_of
from tests.master.homes import OWN, made_home

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"
MOTD = "resources: [{id: motd, spec: {kind: file/1, path: /etc/kubernetes/motd, text: hi}}]\n"
Law = Callable[[Stand], Awaitable[None]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def run(home: Home, *laws: Law, limits: Limits | None = None) -> None:
    """Run each law on a core; all of them have one store, so a later one is a core after a kill."""
    memory = Memory()

    async def whole() -> None:
        nodes: dict[str, Node] = {}
        for law in laws:
            stand = core_stand(home, memory) if limits is None else core_stand(home, memory, limits)
            async with asyncio.timeout(30), stand as running:
                for node in nodes.values():
                    node.front = running.front
                running.nodes.update(nodes)
                await law(running)
                nodes = running.nodes

    asyncio.run(whole())


async def taken(stand: Stand, turn: TurnView, *nodes: Node) -> None:
    """Let nodes have their document and tell that it changed something."""
    for node in nodes:
        await node.hear(Poke)
        await node.fetch()
        await node.report(node.applied(turn.turn, "changed"))


async def ended(stand: Stand, turn: TurnView) -> dict[str, str]:
    *_, last = [one async for one in stand.service.follow_turn(turn.turn)]
    assert isinstance(last, TurnView)
    return {one.node: one.result for one in last.nodes}


def test_a_document_goes_out_and_its_result_comes_back(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())
        await w1.hear(Poke)
        doc = await w1.fetch()
        body = (home.path / "blobs" / doc.body.hex()).read_bytes()
        needed = {doc.body, *(bytes.fromhex(one) for one in read_body(body).blobs)}
        granted = set(stand.front.grants[w1.key])
        await w1.report(w1.applied(turn.turn, "changed"))

        assert granted == needed
        assert await ended(stand, turn) == {"w1": "changed"}
        node = await stand.service.node("w1")
        assert (node.version, node.wanted, node.pods) == (1, 1, "10.10.0.0/24")

    run(home, law)


def test_the_same_file_again_asks_for_a_look_and_signs_nothing(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        first = await stand.service.apply(TWO.encode())
        await taken(stand, first, w1, w2)
        again = await stand.service.apply(TWO.encode())
        for node in (w1, w2):
            await node.hear(Poke)
            node.say(Fetch())
            assert await node.hear(Current) == Current(turn=again.turn)
            node.say(node.looked(again.turn))

        assert await ended(stand, again) == {"w1": "converged", "w2": "converged"}
        assert again.revision == first.revision == 1
        assert (await stand.service.node("w1")).wanted == 1

    run(home, law)


def test_another_file_gives_only_who_differs_a_new_document(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(stand, await stand.service.apply(TWO.encode()), w1, w2)
        group = "groups: [{match: name=w2, sysctls: {vm.max_map_count: '300000'}}]\n"
        turn = await stand.service.apply((TWO + group).encode())

        assert turn.revision == 2
        wanted = {one.name: one.wanted for one in (await stand.service.status()).nodes}
        assert wanted == {"w1": 1, "w2": 2}

    run(home, law)


def test_what_policy_does_not_allow_is_told_for_all_nodes_and_leaves_no_trace(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await stand.joined("w1", "w2")
        with pytest.raises(ServiceError) as caught:
            await stand.service.apply((TWO + OWN).encode())

        assert caught.value.code == "invalid"
        assert len(caught.value.faults) == 2
        assert newest_turn(stand.store) == 0

    run(home, law)


@pytest.mark.parametrize(
    ("node_class", "hello", "result", "says"),
    [
        ("control-plane", {}, "refused", "class worker"),
        ("worker", {"kinds": ("file/1",)}, "blocked", "too old"),
    ],
)
def test_who_cannot_take_its_body_is_named_and_the_others_go_on(
    home: Home, node_class: str, hello: dict[str, object], result: str, says: str
) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1", node_class=node_class)
        await stand.joined("w2")
        await w1.connect(**hello)
        turn = await stand.service.apply(TWO.encode())
        first, second = turn.nodes

        assert {one.node: one.result for one in (first, second)} == {"w1": result, "w2": "waiting"}
        assert says in next(one.why for one in turn.nodes if one.node == "w1")

    run(home, law)


def test_who_is_away_is_unreachable_and_is_taken_when_it_comes_back(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        w1.disconnect()
        turn = await stand.service.apply(SMALL.encode())
        assert await ended(stand, turn) == {"w1": "unreachable"}

        await w1.connect()
        await taken(stand, turn, w1)
        (line,) = (await stand.service.turn(turn.turn)).nodes
        assert line.result == "changed"

    run(home, law)


def test_who_tells_nothing_expires(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())

        assert await ended(stand, turn) == {"w1": "expired"}

    run(home, law, limits=Limits(grace=5, deadline=0.3))


def test_a_newer_apply_takes_over(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        older = await stand.service.apply(SMALL.encode())
        newer = await stand.service.apply(SMALL.encode())
        await taken(stand, newer, w1)

        assert await ended(stand, older) == {"w1": "superseded"}
        assert await ended(stand, newer) == {"w1": "changed"}

    run(home, law)


def test_a_core_that_was_started_again_goes_on_with_a_turn(home: Home) -> None:
    numbers: list[int] = []

    async def before(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        turn = await stand.service.apply(TWO.encode())
        numbers.append(turn.turn)
        await taken(stand, turn, w1)
        await w2.report(w2.deviation("motd"))

    async def after(stand: Stand) -> None:
        turn = await stand.service.turn(numbers[0])
        assert {one.node: one.result for one in turn.nodes} == {"w1": "changed", "w2": "waiting"}
        (drift,) = await stand.service.drift("", 10, True)
        assert (drift.node, drift.resource) == ("w2", "motd")
        assert (await stand.service.status()).revision == 1

        w2 = stand.nodes["w2"]
        await w2.connect()
        await taken(stand, turn, w2)
        assert await ended(stand, turn) == {"w1": "changed", "w2": "changed"}

    run(home, before, after)


def test_a_report_that_comes_again_after_a_kill_is_acknowledged_and_kept_once(home: Home) -> None:
    said: list[Report] = []

    async def before(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        said.append(Report(first=1, items=(w1.deviation("a"), w1.deviation("b"))))
        w1.say(*said)
        await w1.hear(messages.Ack)

    async def after(stand: Stand) -> None:
        w1 = stand.nodes["w1"]
        await w1.connect()
        w1.say(*said)
        assert (await w1.hear(messages.Ack)).seq == 2
        assert len(await stand.service.drift("w1", 10, False)) == 2

    run(home, before, after)


def test_who_joins_later_gets_its_part_of_the_applied_file(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(TWO.encode())
        await taken(stand, turn, w1)
        assert (await ended(stand, turn))["w2"] == "unreachable"

        (w2,) = await stand.joined("w2")
        await w2.hear(Poke)
        doc = await w2.fetch()
        assert doc.turn == turn.turn + 1
        names = [one.node for one in (await stand.service.turn(doc.turn)).nodes]
        assert names == ["w2"]

    run(home, law)


def test_a_revoked_node_is_heard_no_more_and_no_turn_waits_for_it(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())
        await stand.service.revoke("w1")
        stand.front.allowed.add(w1.key)  # a front that lets it through all the same
        w1.say(w1.hello(), Report(first=1, items=(w1.deviation("a"),)))
        (w2,) = await stand.joined("w2")  # an answer that comes after it

        assert w2.key in stand.front.allowed
        assert await ended(stand, turn) == {"w1": "refused"}
        assert await stand.service.drift("", 10, False) == ()
        assert stand.office.desk.seen.counts["of no node"] == 2

    run(home, law)


def test_a_node_is_removed_when_it_says_that_it_is_empty(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(stand, await stand.service.apply(TWO.encode()), w1, w2)
        turn = await stand.service.remove("w2")
        assert (await stand.service.node("w2")).state == "removing"
        await w2.hear(Poke)
        doc = await w2.fetch()
        assert read_body((home.path / "blobs" / doc.body.hex()).read_bytes()).resources == ()
        assert (await stand.service.node("w2")).state == "removing"
        await w2.report(w2.applied(turn.turn, "changed"))

        while (await stand.service.node("w2")).state != "removed":
            await asyncio.sleep(0.01)
        while w2.key in stand.front.allowed:
            await asyncio.sleep(0.01)
        assert [one.name for one in (await stand.service.status()).nodes] == ["w1"]
        again = await stand.service.apply(TWO.encode())
        assert {one.node: one.result for one in again.nodes} == {
            "w1": "waiting",
            "w2": "unreachable",
        }

    run(home, law)


def test_a_removal_that_was_cut_off_begins_anew(home: Home) -> None:
    async def before(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(stand, await stand.service.apply(TWO.encode()), w1, w2)
        await stand.service.remove("w2")

    async def after(stand: Stand) -> None:
        w2 = stand.nodes["w2"]
        await w2.connect()
        await w2.hear(Poke)
        doc = await w2.fetch()
        await w2.report(w2.applied(doc.turn, "changed"))
        while (await stand.service.node("w2")).state != "removed":
            await asyncio.sleep(0.01)

    run(home, before, after)


def test_a_bad_message_costs_its_sender_only(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        stand.front.say(
            Heard(key=w1.key, data=b"\xc1"),
            Heard(key=w1.key, data=messages.encode(messages.Beat())),
            Heard(key=secrets.token_bytes(32), data=messages.encode(w1.hello())),
            Heard(key=w2.key, data=messages.encode(Report(first=1, items=(w2.deviation("a"),)))),
        )

        assert (await w2.hear(messages.Ack)).seq == 1
        assert stand.office.desk.seen.counts == {"failed Heard": 2, "of no node": 1}

    run(home, law)


def test_two_strangers_with_one_token_are_one_node(home: Home) -> None:
    async def law(stand: Stand) -> None:
        made = await stand.service.make_token("w1", "worker", 60, False)
        enrol = enrol_of(JoinToken.parse(made.token))
        keys = [secrets.token_bytes(32) for _ in range(20)]
        answers = await asyncio.gather(*(stand.front.knock(key, enrol) for key in keys))
        winners = [key for key, one in zip(keys, answers, strict=True) if isinstance(one, Enrolled)]

        assert stand.front.allowed == set(winners)
        assert len(winners) == 1
        assert sum(isinstance(one, Refused) for one in answers) == 19

    run(home, law)


class FullStore(MemoryStore):
    """A store whose disk can be full."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.full = False
        self.commits = 0

    def commit(self, *writes: Write) -> int:
        if self.full:
            raise StoreError("cannot write: the disk is full")
        self.commits += 1
        return super().commit(*writes)


def with_full_store(home: Home, law: Callable[[Stand, FullStore], Awaitable[None]]) -> None:
    store = FullStore(Memory())

    async def whole() -> None:
        async with asyncio.timeout(30), core_stand(home, opened=lambda: store) as stand:
            await law(stand, store)

    asyncio.run(whole())


def test_what_cannot_be_stored_is_not_acknowledged(home: Home) -> None:
    async def law(stand: Stand, store: FullStore) -> None:
        (w1,) = await stand.joined("w1")
        report = Report(first=1, items=(w1.deviation("a"),))
        store.full = True
        w1.say(report)
        while not stand.office.desk.seen.counts["unwritten"]:
            await asyncio.sleep(0.01)
        assert stand.front.told(w1.key).empty()
        with pytest.raises(ServiceError) as caught:
            await stand.service.apply(SMALL.encode())
        assert caught.value.code == "unavailable"
        assert await stand.service.drift("", 10, True) == ()

        store.full = False
        w1.say(report)
        assert (await w1.hear(messages.Ack)).seq == 1
        w1.seq = 1
        turn = await stand.service.apply(SMALL.encode())
        await taken(stand, turn, w1)
        assert await ended(stand, turn) == {"w1": "changed"}

    with_full_store(home, law)


def test_what_comes_together_is_one_commit(home: Home) -> None:
    async def law(stand: Stand, store: FullStore) -> None:
        names = [f"w{number}" for number in range(1, 21)]
        nodes = await stand.joined(*names)
        before = store.commits
        reports = [Report(first=1, items=(node.deviation("a"),)) for node in nodes]
        stand.office.heard(
            [
                Heard(key=node.key, data=messages.encode(report))
                for node, report in zip(nodes, reports, strict=True)
            ]
        )
        for node in nodes:
            await node.hear(messages.Ack)

        assert store.commits - before == 1

    with_full_store(home, law)


def test_another_process_that_changes_a_record_is_no_hindrance(home: Home) -> None:
    memory = Memory()

    async def whole() -> None:
        async with asyncio.timeout(30), core_stand(home, memory) as stand:
            (w1,) = await stand.joined("w1")
            other = MemoryStore(memory)
            entry = other.get("nodes/w1")
            assert entry is not None
            other.commit(Put(entry.key, entry.value))
            lease = await w1.connect(release="2")
            assert isinstance(lease, Lease)
            assert (await stand.service.node("w1")).release == "2"

    asyncio.run(whole())


def test_a_lease_names_what_the_store_has(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await taken(stand, await stand.service.apply(SMALL.encode()), w1)
        w1.say(w1.health(nonce=b"m" * 16))
        lease = decode_lease(decode((await w1.hear(Lease)).lease).payload)

        assert (lease.version, lease.document, lease.nonce) == (1, w1.document, b"m" * 16)

    run(home, law)


def test_a_follower_who_comes_late_hears_how_things_stand(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        turn = await stand.service.apply(TWO.encode())
        await taken(stand, turn, w1)
        events: list[TurnNode | TurnView] = []
        async for one in stand.service.follow_turn(turn.turn):
            events.append(one)
            if len(events) == 1:
                await taken(stand, turn, w2)

        assert [getattr(one, "node", "end") for one in events] == ["w1", "w2", "end"]

    run(home, law)


def test_a_store_from_a_copy_gives_no_version_twice(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await taken(stand, await stand.service.apply(SMALL.encode()), w1)
        w1.held, w1.document = 7, b"o" * 32  # what a newer store had given it
        await w1.connect()
        assert "ahead" in (await stand.service.node("w1")).health
        await stand.service.apply(SMALL.encode())
        await w1.hear(Poke)
        await w1.fetch()

        assert w1.held == 8

    run(home, law)
