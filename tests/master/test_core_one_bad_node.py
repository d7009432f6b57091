"""One node with a good key and bad intentions, or a store from an old copy: what others notice."""

from __future__ import annotations

import asyncio
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from saltern_master.api.drifts import DriftAsk
from saltern_master.api.service import TurnView
from saltern_master.cli.drift_tables import drift_lines
from saltern_master.cli.listing import Output
from saltern_master.front.frames import Heard
from saltern_master.records.drift import MOST_OPEN
from saltern_master.signing.home import Home
from saltern_protocol import messages, report
from saltern_protocol.errors import MalformedError
from saltern_protocol.messages import Current, Enrolled, Fetch, Poke, Refused, Report
from saltern_protocol.report import DriftSeen
from saltern_protocol.terms import LAST_SECOND
from saltern_protocol.token import JoinToken

from tests.master.clusters import SMALL
from tests.master.core_laws import ended, run, taken
from tests.master.core_stand import Node, Stand, enrol_of
from tests.master.homes import made_home

TWO = SMALL + "- {name: w2, address: 10.9.0.22}\n"
LAST_SHOWN = (LAST_SECOND - 24 * 3600) * 1_000_000


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def seen(number: int, resource: str, at_us: int = 1) -> DriftSeen:
    return DriftSeen(
        number=number,
        resource=resource,
        kind="file/1",
        since_us=at_us,
        recorded_us=at_us,
        seen="look",
        found=(),
    )


def test_facts_of_any_depth_hinder_nobody_else(home: Home) -> None:
    """What is read at one depth of our stack may not be read at another."""

    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        for depth in (4, *range(900, 1000)):
            facts = b'{"mtu":1500,"a":' + b"[" * depth + b"]" * depth + b"}"
            stand.front.say(Heard(key=w1.key, data=messages.encode(w1.hello(facts=facts))))
        (w2,) = await stand.joined("w2")
        turn = await stand.service.apply(TWO.encode())
        await taken(turn, w2)

        assert {one.name for one in (await stand.service.status()).nodes} == {"w1", "w2"}

    run(home, law)


def test_no_more_drift_is_open_than_a_body_has_resources(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        for first in range(1, MOST_OPEN + 401, 200):
            numbers = range(first, first + 200)
            await w1.report(*(seen(number, f"r{number}", number) for number in numbers))
        assert (await stand.service.node("w1")).drift == MOST_OPEN
        await w1.report(seen(9_999, "r1", 9_999))

        assert (await stand.service.node("w1")).drift == MOST_OPEN
        newest, *_ = await stand.service.drift(DriftAsk(nodes=frozenset({"w1"}), most=1))
        assert newest.number == 9_999

    run(home, law)


def test_the_latest_time_that_can_be_told_can_be_shown_everywhere(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await w1.report(seen(1, "a", LAST_SHOWN), seen(2, "b", 0))
        found = await stand.service.drift(DriftAsk(most=10))

        for hours in (-12, 14):
            lines = drift_lines(found, timezone(timedelta(hours=hours)), Output.WIDE)
            assert len(lines) == 3

    run(home, law)
    with pytest.raises(MalformedError):
        messages.encode(Report(first=1, items=(seen(1, "a", LAST_SHOWN + 1),)))


def test_a_key_that_nothing_can_be_sealed_to_is_not_let_in(home: Home) -> None:
    async def law(stand: Stand) -> None:
        made = await stand.service.make_token("cp1", "control-plane", 60, False)
        token = JoinToken.parse(made.token)
        answer = await stand.front.knock(b"k" * 32, enrol_of(token, sealing=bytes(32)))
        assert isinstance(answer, Refused)
        assert answer.reason == "malformed"

        assert isinstance(await stand.front.knock(b"k" * 32, enrol_of(token)), Enrolled)

    run(home, law)


async def ahead(node: Node) -> None:
    """Come back with a document that the store has never had, and look at it when asked."""
    node.held, node.document = 50, b"x" * 32
    await node.connect()
    await node.hear(Poke)
    node.say(Fetch())
    current = await node.hear(Current)
    node.say(node.looked(current.turn))


async def away(stand: Stand) -> Node:
    """Give a node that has what was applied, and has gone."""
    (node,) = await stand.joined("w1")
    await taken(await stand.service.apply(SMALL.encode()), node)
    node.disconnect()
    return node


async def one_of(stand: Stand, turn: TurnView, result: str) -> None:
    """Wait until the turn's one node stands so."""
    while {one.result for one in (await stand.service.turn(turn.turn)).nodes} != {result}:
        await asyncio.sleep(0.01)


def test_a_node_ahead_of_the_store_is_not_told_as_converged(home: Home) -> None:
    async def law(stand: Stand) -> None:
        node = await away(stand)
        turn = await stand.service.apply(SMALL.encode() + b"# another\n")
        assert await ended(stand, turn) == {"w1": "unreachable"}
        await ahead(node)
        await one_of(stand, turn, "blocked")

        turn = await stand.service.apply(SMALL.encode())
        await taken(turn, node)
        assert node.held == 51
        assert await ended(stand, turn) == {"w1": "changed"}

    run(home, law)


def test_a_node_ahead_of_the_store_is_not_forgotten_before_it_is_empty(home: Home) -> None:
    async def law(stand: Stand) -> None:
        node = await away(stand)
        turn = await stand.service.remove("w1", False)
        assert await ended(stand, turn) == {"w1": "unreachable"}
        await ahead(node)
        await one_of(stand, turn, "blocked")
        assert (await stand.service.node("w1")).state == "removing"

        turn = await stand.service.remove("w1", False)
        await taken(turn, node)
        assert node.held == 51
        assert await ended(stand, turn) == {"w1": "changed"}

    run(home, law)


def test_an_end_that_was_told_as_1970_is_an_end(home: Home) -> None:
    async def tells(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        end = report.DriftEnded(number=1, resource="a", healed_us=0, outcome="healed")
        await w1.report(seen(1, "a"), end, seen(2, "b", 0), seen(3, "b", 0))

    async def started_again(stand: Stand) -> None:
        found = await stand.service.drift(DriftAsk(nodes=frozenset({"w1"}), most=10, open=True))
        assert [one.number for one in found] == [3]
        assert [
            one.number
            for one in await stand.service.drift(DriftAsk(nodes=frozenset({"w1"}), most=10))
        ] == [1, 3, 2]

    run(home, tells, started_again)
