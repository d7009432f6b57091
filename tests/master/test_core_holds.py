"""Holds and windows in core: who is told what in its lease, when, and what stays over a restart."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import ParamSpec

import pytest
from saltern_master.api.holds import HoldAsk, HoldView, ReleaseAsk
from saltern_master.api.service import ServiceError
from saltern_master.core import gates
from saltern_master.core.peer import Peer
from saltern_master.records.holds import every_hold, put_holds
from saltern_master.signing.home import Home
from saltern_master.store import Memory
from saltern_protocol.envelope import decode
from saltern_protocol.lease import Hold, decode_lease
from saltern_protocol.messages import Lease, Renew, from_master

from tests.master.clusters import SMALL
from tests.master.core_stand import Node, Stand, core_stand
from tests.master.homes import made_home
from tests.master.playing import until

P = ParamSpec("P")
SATURDAY = 1_795_824_000.0  # 2026-11-28T00:00:00Z
UNCLEAR = "cannot tell who is meant: name nodes, or give a target"
WINDOW = """\
maintenance:
- {name: weekly, days: [sat], from: "01:00", to: "03:00", nodes: "w*", why: patches}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return made_home(tmp_path_factory.mktemp("home"))


def in_a_loop(law: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Make a test of a coroutine."""

    @wraps(law)
    def test(*args: P.args, **named: P.kwargs) -> None:
        asyncio.run(law(*args, **named))

    return test


class Clock:
    """The master's clock, as a test sets it."""

    def __init__(self, at: float = SATURDAY) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def hold_in(lease: Lease) -> Hold | None:
    return decode_lease(decode(lease.lease).payload).hold


def follow(node: Node, told: list[Hold | None]) -> None:
    """Let a node renew its lease whenever it is asked, and write down what each lease says."""

    def heard(data: bytes) -> None:
        message = from_master(data)
        if isinstance(message, Renew):
            node.say(node.health(nonce=secrets.token_bytes(16)))
        elif isinstance(message, Lease):
            told.append(hold_in(message))

    node.front.answering[node.key] = heard


def ask(*nodes: str, seconds: int = 3600, why: str = "a new disk", **more: str) -> HoldAsk:
    return HoldAsk(nodes=nodes, seconds=seconds, why=why, by="ann", **more)


async def following(stand: Stand, *names: str) -> dict[str, list[Hold | None]]:
    told: dict[str, list[Hold | None]] = {name: [] for name in names}
    for node in await stand.joined(*names):
        follow(node, told[node.name])
    return told


@in_a_loop
async def test_a_connected_node_is_held_and_released_within_a_second(home: Home) -> None:
    async with core_stand(home) as stand:
        told = await following(stand, "w1", "w2")
        began = asyncio.get_running_loop().time()
        (made,) = await stand.service.hold(ask("w1"))
        assert asyncio.get_running_loop().time() - began < 1
        assert (made.node, made.by, made.connected, made.in_force) == ("w1", "ann", True, True)
        await until(stand, lambda: told["w1"] != [])
        (hold,) = told["w1"]
        assert hold is not None
        assert (hold.why, hold.by) == ("a new disk", "ann")
        assert 3590 < hold.left <= 3600
        view = (await stand.service.node("w1")).hold
        assert view is not None
        assert (view.until, view.by, view.in_force) == (made.until, "ann", True)

        (gone,) = await stand.service.release(ReleaseAsk(nodes="w1"))
        assert (gone.node, gone.until) == ("w1", made.until)
        await until(stand, lambda: told["w1"][1:] != [])
        assert told == {"w1": [hold, None], "w2": []}
        assert (await stand.service.node("w1")).hold is None
        assert every_hold(stand.store) == ()


@in_a_loop
async def test_who_is_away_is_held_in_its_first_lease(home: Home) -> None:
    async with core_stand(home) as stand:
        (node,) = await stand.joined("w1")
        node.disconnect()
        await until(stand, lambda: "w1" in stand.office.known.gone)
        (made,) = await stand.service.hold(ask("w1"))
        assert (made.connected, made.in_force) == (False, False)

        hold = hold_in(await node.connect())
        assert hold is not None
        assert hold.by == "ann"
        (held,) = (await stand.service.holds()).holds
        assert (held.connected, held.in_force) == (True, True)


@in_a_loop
async def test_a_hold_outlives_the_master_and_ends_by_its_clock(home: Home) -> None:
    memory, clock = Memory(), Clock()
    async with core_stand(home, memory, clock=clock) as stand:
        (node,) = await stand.joined("w1")
        follow(node, [])
        await stand.service.hold(ask("w1", seconds=100))
    clock.at += 40
    async with core_stand(home, memory, clock=clock) as stand:
        node.front = stand.front
        assert hold_in(await node.connect()) == Hold(left=60, why="a new disk", by="ann")
        clock.at += 61
        await until(stand, lambda: every_hold(stand.store) == ())
        assert hold_in(await node.connect()) is None
        assert (await stand.service.holds()).holds == ()


@in_a_loop
async def test_a_clock_that_is_set_back_ends_no_hold_and_makes_none_longer(home: Home) -> None:
    clock = Clock()
    async with core_stand(home, clock=clock) as stand:
        told = await following(stand, "w1")
        clock.at += 600
        await stand.service.hold(ask("w1", seconds=3600))
        clock.at -= 1200
        await until(stand, lambda: len(told["w1"]) > 1)

        first, anew = told["w1"]
        assert first is not None
        assert anew is not None
        assert (first.left, anew.left) == (3600, 3600)
        (kept,) = every_hold(stand.store)
        assert (kept.since, kept.until) == (clock.at, clock.at + 3600)


@in_a_loop
async def test_the_last_word_counts_and_names_the_one_before(home: Home) -> None:
    async with core_stand(home) as stand:
        told = await following(stand, "w1")
        first = await stand.service.hold(ask("w1"))
        assert first[0].before_until == 0
        (second,) = await stand.service.hold(
            HoldAsk(nodes=("w1",), seconds=60, why="a short look", by="bob")
        )
        assert (second.before_by, second.before_until) == ("ann", first[0].until)
        await until(stand, lambda: told["w1"][1:] != [])
        assert [one.by for one in told["w1"] if one is not None] == ["ann", "bob"]
        assert len(every_hold(stand.store)) == 1


@in_a_loop
async def test_an_answer_that_was_lost_is_asked_for_again(home: Home) -> None:
    async with core_stand(home) as stand:
        (node,) = await stand.joined("w1")
        node.front.answering[node.key] = lambda _: None  # it says nothing
        (made,) = await stand.service.hold(ask("w1"))
        assert (made.connected, made.in_force) == (True, False)
        await node.hear(Renew)
        async with asyncio.timeout(10):
            await node.hear(Renew)


@in_a_loop
async def test_who_joins_anew_is_not_held(home: Home) -> None:
    async with core_stand(home) as stand:
        await following(stand, "w1")
        await stand.service.hold(ask("w1"))
        await stand.service.revoke("w1")
        await until(stand, lambda: every_hold(stand.store) == ())
        (node,) = await stand.joined("w1")
        assert hold_in(await node.connect()) is None
        assert (await stand.service.node("w1")).hold is None


@in_a_loop
async def test_a_hold_of_an_earlier_incarnation_counts_for_nothing(home: Home) -> None:
    memory = Memory()
    async with core_stand(home, memory) as stand:
        (node,) = await stand.joined("w1")
        follow(node, [])
        await stand.service.hold(ask("w1"))
        (kept,) = every_hold(stand.store)
    async with core_stand(home, memory) as stand:
        await stand.service.revoke("w1")
        await stand.joined("w1")
        stand.store.commit(*put_holds([kept]))
    async with core_stand(home, memory) as stand:
        assert (await stand.service.node("w1")).hold is None
        assert every_hold(stand.store) == ()


@in_a_loop
async def test_a_window_holds_its_nodes_while_it_is_open(home: Home) -> None:
    clock = Clock()
    async with core_stand(home, clock=clock) as stand:
        told = await following(stand, "w1", "x1")
        file = SMALL + "- {name: x1, address: 10.9.0.22}\n" + WINDOW
        await stand.service.apply(file.encode())
        (window,) = (await stand.service.holds()).windows
        assert (window.name, window.open, window.nodes) == ("weekly", False, ("w1",))
        assert (window.begins, window.ends) == (SATURDAY + 3600, SATURDAY + 3 * 3600)

        clock.at = SATURDAY + 3600
        await until(stand, lambda: told["w1"] != [])
        hold = Hold(left=7200, why="patches", by="window weekly")
        assert told == {"w1": [hold], "x1": []}
        (window,) = (await stand.service.holds()).windows
        assert (window.open, window.in_force) == (True, ("w1",))

        (longer,) = await stand.service.hold(ask("w1", seconds=3 * 3600))
        assert longer.in_force
        await until(stand, lambda: told["w1"][1:] != [])
        assert told["w1"][1:] == [Hold(left=10800, why="a new disk", by="ann")]
        await stand.service.release(ReleaseAsk(all=True))
        await until(stand, lambda: told["w1"][2:] != [])
        assert told["w1"][2:] == [hold]

        clock.at = SATURDAY + 3 * 3600
        node = stand.nodes["w1"]
        while not node.front.told(node.key).empty():
            node.front.told(node.key).get_nowait()
        assert hold_in(await node.connect()) is None
        (window,) = (await stand.service.holds()).windows
        assert (window.open, window.begins) == (False, SATURDAY + 7 * 86400 + 3600)


@in_a_loop
async def test_another_window_in_the_file_is_brought_at_once_and_changes_no_document(
    home: Home,
) -> None:
    clock = Clock(SATURDAY + 2 * 3600)
    async with core_stand(home, clock=clock) as stand:
        told = await following(stand, "w1")
        turn = await stand.service.apply(SMALL.encode())
        before = stand.office.known.peers["w1"].document
        after = await stand.service.apply((SMALL + WINDOW).encode())
        await until(stand, lambda: told["w1"] != [])
        assert told["w1"] == [Hold(left=3600, why="patches", by="window weekly")]
        assert stand.office.known.peers["w1"].document == before
        assert after.revision == turn.revision + 1

        await stand.service.apply(SMALL.encode())
        await until(stand, lambda: told["w1"][1:] != [])
        assert told["w1"][1:] == [None]


@in_a_loop
async def test_a_rollouts_gate_says_that_the_node_is_held(home: Home) -> None:
    async with core_stand(home) as stand:
        (node,) = await stand.joined("w1")
        follow(node, [])
        turn = await stand.service.apply(SMALL.encode())
        await node.fetch()
        node.drift["other"] = 1
        await stand.report(turn.turn, "w1", "changed")
        await stand.deviate("w1", "motd")
        node.say(node.health())
        await until(stand, lambda: _peer(stand).health is not None)
        assert gates.agent(_peer(stand), True) == "motd drifted"
        (made,) = await stand.service.hold(ask("w1"))
        why = gates.agent(_peer(stand), True)
        assert why.startswith("motd drifted, and is left alone until 20")
        assert why.endswith(
            ": the node is held by ann (a new disk); wait, or: saltern drift release w1"
        )
        assert made.in_force


def _peer(stand: Stand) -> Peer:
    return stand.office.known.peers["w1"]


@pytest.mark.parametrize(
    ("question", "code", "text"),
    [
        (ask(), "invalid", "cannot tell who is meant: name nodes, or give a target"),
        (
            ask("w1", target="w1"),
            "invalid",
            "cannot tell who is meant: name nodes, or give a target",
        ),
        (ask("w1", "w8", "w9"), "invalid", "cannot hold w8, w9: no such node; there are: w1"),
        (ask(target="role=wroker"), "invalid", "cannot take the target role=wroker: 1 fault"),
    ],
)
@in_a_loop
async def test_nobody_is_held_where_one_is_not_meant(
    home: Home, question: HoldAsk, code: str, text: str
) -> None:
    async with core_stand(home) as stand:
        await stand.joined("w1")
        with pytest.raises(ServiceError) as caught:
            await stand.service.hold(question)
        assert (caught.value.code, str(caught.value)) == (code, text)
        assert every_hold(stand.store) == ()


@in_a_loop
async def test_who_is_not_held_cannot_be_released_by_name(home: Home) -> None:
    async with core_stand(home) as stand:
        await following(stand, "w1", "w2")
        await stand.service.hold(ask(target="w*"))
        await stand.service.release(ReleaseAsk(nodes="w2"))
        with pytest.raises(ServiceError) as caught:
            await stand.service.release(ReleaseAsk(nodes="w1,w2"))
        assert str(caught.value).startswith("cannot release w2: no person holds it")
        assert [one.node for one in (await stand.service.holds()).holds] == ["w1"]
        found: tuple[HoldView, ...] = await stand.service.release(ReleaseAsk(target="name=w*"))
        assert [one.node for one in found] == ["w1"]
