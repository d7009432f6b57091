"""Core asks nodes for plans: what goes over the wire, who is waited for, and what is applied."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import pytest
from saltern_master.api.plans import NodePlan, PlanLineView, PlanView
from saltern_master.api.service import ServiceError
from saltern_master.core.plans import KEPT, MOST_OPEN
from saltern_master.core.turns import Limits
from saltern_master.plan_words import worded
from saltern_master.records.documents import hold_document
from saltern_master.signing.documents import PROPOSAL_LIFE
from saltern_master.signing.home import Home
from saltern_protocol.documents import Document, PayloadType, decode_document
from saltern_protocol.envelope import decode, verify
from saltern_protocol.errors import RefusedError
from saltern_protocol.messages import Current, Doc, Fetch, Lease, Plan, Poke, Proposal, from_master
from saltern_states.body import read_body

from tests.master.clusters import SMALL
from tests.master.core_laws import run, taken
from tests.master.core_stand import Node, Stand
from tests.master.homes import made_home
from tests.master.plan_pages import page_of

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"
THREE = TWO + "- {name: w3, address: 10.9.0.23}\n"
SYSCTLS = "groups: [{match: 'name=w*', sysctls: {vm.max_map_count: '300000'}}]\n"
QUICK = Limits(grace=0.2, deadline=0.4)
MOTD = PlanLineView(
    resource="motd", verb="hold", finding="to change", change="write /etc/motd", impact="none"
)
OTHER = PlanLineView(
    resource="motd", verb="hold", finding="to change", change="write 9 bytes", impact="none"
)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


async def proposed(node: Node) -> Proposal:
    """Let a node be called and ask what there is."""
    await node.hear(Poke)
    node.say(Fetch())
    return await node.hear(Proposal)


async def planned(stand: Stand, file: str, target: str = "") -> dict[str, NodePlan]:
    plan = await stand.service.plan(file.encode(), target)
    return await whole(stand, plan.plan)


async def whole(stand: Stand, number: int) -> dict[str, NodePlan]:
    *_, last = [one async for one in stand.service.follow_plan(number)]
    assert isinstance(last, PlanView)
    return {one.node: one for one in last.nodes}


def turn_of(stand: Stand, plan: int) -> int:
    """Give the number that nodes are told."""
    return stand.office.plans._before + plan


def page(stand: Stand, plan: int, *lines: PlanLineView) -> Plan:
    return page_of(turn_of(stand, plan), *lines)


def document_of(proposal: Proposal) -> Document:
    return decode_document(decode(proposal.proposal).payload)


def everything(stand: Stand) -> dict[str, bytes]:
    return {one.key: one.value for one in stand.store.list("", most=10_000)}


def test_a_proposal_is_for_this_node_and_no_document(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        before = everything(stand)
        plan = await stand.service.plan(SMALL.encode(), "")
        proposal = await proposed(w1)
        document = document_of(proposal)
        keys = stand.office.rolling.signer.root.roles.state
        body = (home.path / "blobs" / proposal.body.hex()).read_bytes()
        granted = set(stand.front.grants[w1.key])
        w1.say(page(stand, plan.plan, MOTD))
        told = await whole(stand, plan.plan)

        assert verify(proposal.proposal, PayloadType.PROPOSAL, keys.keys, keys.threshold)
        with pytest.raises(RefusedError):
            verify(proposal.proposal, PayloadType.DOCUMENT, keys.keys, keys.threshold)
        assert (document.node, document.incarnation, document.version) == ("w1", w1.incarnation, 1)
        assert document.expires - document.issued == PROPOSAL_LIFE == 600
        assert proposal.turn == turn_of(stand, plan.plan)
        assert document.body == proposal.body == bytes.fromhex(told["w1"].body)
        assert granted == {proposal.body, *map(bytes.fromhex, read_body(body).blobs)}
        assert everything(stand) == before  # a plan is nowhere written down
        assert (await stand.service.node("w1")).wanted == 0

    run(home, law)


def test_when_it_has_told_a_node_is_offered_nothing_more(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        plan = await stand.service.plan(SMALL.encode(), "")
        await proposed(w1)
        w1.say(page(stand, plan.plan, MOTD))
        first = await whole(stand, plan.plan)
        w1.say(page(stand, plan.plan, OTHER), Fetch())

        assert await w1.hear(Current) == Current(turn=0)
        assert stand.front.grants[w1.key] == ()
        assert await whole(stand, plan.plan) == first

    run(home, law)


def test_a_newer_document_goes_first(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())
        await w1.hear(Poke)
        plan = await stand.service.plan((SMALL + SYSCTLS).encode(), "")
        await w1.hear(Poke)
        await w1.fetch()
        granted = set(stand.front.grants[w1.key])
        await w1.report(w1.applied(turn.turn, "changed"))
        proposal = await proposed(w1)  # it is called again once it has that

        assert proposal.turn == turn_of(stand, plan.plan)
        assert {proposal.body, bytes.fromhex(w1_body(stand))} <= granted
        assert document_of(proposal).version == 2

    run(home, law)


def w1_body(stand: Stand) -> str:
    issued = hold_document(stand.store, "w1").value
    assert issued is not None
    return issued.body


def test_who_has_refused_its_document_can_be_asked_for_another_plan(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        turn = await stand.service.apply(SMALL.encode())
        await w1.hear(Poke)
        w1.say(Fetch())
        await w1.hear(Doc)
        plan = await stand.service.plan((SMALL + SYSCTLS).encode(), "")
        await w1.hear(Poke)
        await w1.report(w1.applied(turn.turn, "refused", version=1, reason="stale"))
        proposal = await proposed(w1)
        w1.say(page(stand, plan.plan, MOTD))

        assert proposal.turn == turn_of(stand, plan.plan)
        assert (await whole(stand, plan.plan))["w1"].result == "planned"
        w1.say(Fetch())  # and what it shall have is its document all the same
        assert (await w1.hear(Doc)).turn == 0

    run(home, law)


def test_a_look_that_a_turn_waits_for_is_asked_beside_a_plan(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await taken(await stand.service.apply(SMALL.encode()), w1)
        turn = await stand.service.apply(SMALL.encode())
        plan = await stand.service.plan((SMALL + SYSCTLS).encode(), "")
        proposal = await proposed(w1)
        looks = await w1.hear(Current)

        assert (proposal.turn, looks.turn) == (turn_of(stand, plan.plan), turn.turn)

    run(home, law)


def test_a_node_that_comes_back_is_called_again_and_begins_anew(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        plan = await stand.service.plan(SMALL.encode(), "")
        first = await proposed(w1)
        half = page(stand, plan.plan, OTHER)
        w1.say(type(half)(turn=half.turn, page=0, last=False, lines=half.lines))
        w1.disconnect()
        await w1.connect()
        again = await proposed(w1)
        w1.say(page(stand, plan.plan, MOTD))
        told = await whole(stand, plan.plan)

        assert again == first
        assert told["w1"].lines == worded([MOTD])

    run(home, law)


def test_who_is_away_or_silent_is_named(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, _ = await stand.joined("w1", "w2")
        w1.disconnect()
        told = await planned(stand, TWO)

        assert {name: one.result for name, one in told.items()} == {
            "w1": "unreachable",
            "w2": "expired",
        }
        assert all(one.why and not one.digest for one in told.values())
        await w1.connect()
        w1.say(Fetch())  # nobody calls it any more: this is the next that it hears
        assert from_master(await stand.front.told(w1.key).get()) == Current(turn=0)

    run(home, law, limits=QUICK)


def test_who_fetches_is_waited_for(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        plan = await stand.service.plan(SMALL.encode(), "")
        clock = asyncio.get_running_loop().time
        until = clock() + 2 * QUICK.deadline
        while clock() < until:
            w1.say(w1.health("fetching", nonce=b"n" * 16))
            await w1.hear(Lease)
        still = await stand.service.plan_so_far(plan.plan)
        w1.say(page(stand, plan.plan, MOTD))

        assert still.nodes[0].result == "waiting"
        assert (await whole(stand, plan.plan))["w1"].result == "planned"

    run(home, law, limits=QUICK)


def test_the_newest_plan_takes_a_node_from_an_older_one(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        older = await stand.service.plan(TWO.encode(), "")
        newer = await stand.service.plan((TWO + SYSCTLS).encode(), "name=w1")
        w1.say(page(stand, older.plan, OTHER))  # too late for that one
        w1.say(page(stand, newer.plan, MOTD))
        w2.say(page(stand, older.plan, MOTD))
        first, second = await whole(stand, older.plan), await whole(stand, newer.plan)

        assert (first["w1"].result, first["w1"].why) == ("refused", "superseded by plan 2")
        assert first["w2"].result == second["w1"].result == "planned"
        assert second["w1"].lines == worded([MOTD])

    run(home, law)


def test_pages_that_nobody_asked_for_are_dropped(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        plan = await stand.service.plan(TWO.encode(), "name=w1")
        log = list(stand.log)
        for number in range(200):
            w2.say(page(stand, plan.plan, OTHER), page(stand, number, OTHER))
        w1.say(page(stand, plan.plan, MOTD))

        assert (await whole(stand, plan.plan))["w1"].lines == worded([MOTD])
        assert stand.log == log

    run(home, law)


@pytest.mark.parametrize(
    ("node_class", "hello", "says"),
    [("control-plane", {}, "class worker"), ("worker", {"kinds": ("file/1",)}, "too old")],
)
def test_who_could_not_take_its_body_is_not_asked(
    home: Home, node_class: str, hello: dict[str, object], says: str
) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1", node_class=node_class)
        await w1.connect(**hello)
        told = await planned(stand, SMALL)

        assert told["w1"].result == "refused"
        assert says in told["w1"].why

    run(home, law)


def test_who_is_locked_while_it_is_asked_is_waited_for_no_more(home: Home) -> None:
    async def law(stand: Stand) -> None:
        await stand.joined("w1")
        plan = await stand.service.plan(SMALL.encode(), "")
        await stand.lock("w1")
        told = await whole(stand, plan.plan)

        assert (told["w1"].result, "locked" in told["w1"].why) == ("refused", True)
        assert "locked" in (await planned(stand, SMALL))["w1"].why

    run(home, law)


def test_so_many_plans_go_on_at_a_time(home: Home) -> None:
    names = [f"w{number}" for number in range(1, MOST_OPEN + 2)]
    file = SMALL + "".join(
        f"- {{name: {name}, address: 10.9.0.{20 + number}}}\n"
        for number, name in enumerate(names[1:], 2)
    )

    async def law(stand: Stand) -> None:
        nodes = await stand.joined(*names)
        for name in names[:-1]:
            await stand.service.plan(file.encode(), f"name={name}")
        with pytest.raises(ServiceError) as caught:
            await stand.service.plan(file.encode(), f"name={names[-1]}")
        nodes[0].say(page(stand, 1, MOTD))
        await whole(stand, 1)

        assert caught.value.code == "conflict"
        assert (await stand.service.plan(file.encode(), f"name={names[-1]}")).plan == MOST_OPEN + 1

    run(home, law)


def test_the_newest_of_those_that_ended_are_kept(home: Home) -> None:
    async def law(stand: Stand) -> None:
        for _ in range(KEPT + 2):  # of a node that has not joined: each ends at once
            await stand.service.plan(SMALL.encode(), "")
        kept = [await stand.service.plan_so_far(number) for number in (3, KEPT + 2)]
        with pytest.raises(ServiceError) as caught:
            await stand.service.plan_so_far(2)

        assert [one.nodes[0].result for one in kept] == ["refused", "refused"]
        assert caught.value.code == "not-found"

    run(home, law)


def test_each_end_is_told_once_to_each_who_follows(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        plan = await stand.service.plan(TWO.encode(), "")
        async with aclosing(stand.service.follow_plan(plan.plan)) as early:  # type: ignore[type-var]
            w2.say(page(stand, plan.plan, MOTD))
            first = await anext(early)
            w1.say(page(stand, plan.plan, MOTD))
            rest = [one async for one in early]
        late = [one async for one in stand.service.follow_plan(plan.plan)]

        assert isinstance(first, NodePlan)
        assert first.node == "w2"
        assert [first, *rest] == late
        assert len(late) == 3

    run(home, law)


def test_what_was_planned_for_another_core_is_no_answer(home: Home) -> None:
    turns: list[int] = []

    async def ask(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await stand.service.plan(SMALL.encode(), "")
        turns.append((await proposed(w1)).turn)

    async def ask_again(stand: Stand) -> None:
        w1 = stand.nodes["w1"]
        await w1.connect()
        plan = await stand.service.plan((SMALL + SYSCTLS).encode(), "")
        proposal = await proposed(w1)
        w1.say(page_of(turns[0], OTHER), page_of(proposal.turn, MOTD))

        assert plan.plan == 1  # as it was there
        assert (await whole(stand, plan.plan))["w1"].lines == worded([MOTD])

    run(home, ask, ask_again)


def test_a_proposal_that_a_document_overtook_is_offered_again(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        plan = await stand.service.plan((SMALL + SYSCTLS).encode(), "")
        first = await proposed(w1)
        turn = await stand.service.apply(SMALL.encode())
        await w1.hear(Poke)
        await w1.fetch()
        put_by = Plan(turn=first.turn, page=0, last=True, lines=(), reason="superseded", why="why")
        w1.say(put_by)
        await w1.report(w1.applied(turn.turn, "changed"))
        again = await proposed(w1)
        w1.say(page_of(again.turn, MOTD))

        assert again == first
        assert (await whole(stand, plan.plan))["w1"].lines == worded([MOTD])

    run(home, law)
