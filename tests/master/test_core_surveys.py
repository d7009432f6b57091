"""Core asks a node to read itself: pages in any order, hostile ones, and nodes that cannot."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from saltern_master.core.surveys import Surveys
from saltern_protocol.messages import SURVEYS, Reading, Survey
from saltern_protocol.reading import MAX_PAGES, AnyFact, SysctlFact

from tests.contracts.service_stands import refused
from tests.master.core_stand import KIND_NAMES, Node, Stand, core_stand
from tests.master.homes import made_home

KINDS = (*KIND_NAMES, SURVEYS)


def fact(number: int) -> SysctlFact:
    return SysctlFact(key="a.b", value=str(number))


def page(turn: int, number: int, *, last: bool = False, why: str = "") -> Reading:
    facts: tuple[AnyFact, ...] = () if why else (fact(number),)
    return Reading(turn=turn, page=number, last=last, facts=facts, why=why)


def played(tmp_path: Path, law: Callable[[Stand, list[Node]], Awaitable[None]]) -> None:
    async def whole() -> None:
        async with asyncio.timeout(20), core_stand(made_home(tmp_path)) as stand:
            await law(stand, await stand.joined("w1", "w2"))

    asyncio.run(whole())


def impatient(stand: Stand, seconds: float) -> Surveys:
    """Give surveys that wait for so long, in the place of core's own."""
    office = stand.office
    made = Surveys(
        office.known, office.line, lambda: office.rolling.signer, lambda n: b"\1" * n, seconds
    )
    office.surveys = made
    return made


def test_pages_are_put_in_order_however_they_come(tmp_path: Path) -> None:
    async def law(stand: Stand, nodes: list[Node]) -> None:
        await nodes[0].connect(kinds=KINDS)
        asking = asyncio.ensure_future(stand.service.survey("w1"))
        turn = (await nodes[0].hear(Survey)).turn
        for one in (page(turn, 2, last=True), page(turn, 0), page(turn, 0), page(turn, 1)):
            nodes[0].say(one)
        assert (await asking).facts == (fact(0), fact(1), fact(2))

    played(tmp_path, law)


def test_nobodys_pages_but_the_asked_nodes_for_this_survey_count(tmp_path: Path) -> None:
    async def law(stand: Stand, nodes: list[Node]) -> None:
        for node in nodes:
            await node.connect(kinds=KINDS)
        nodes[0].say(page(1, 0, last=True))  # nobody asked
        asking = asyncio.ensure_future(stand.service.survey("w1"))
        turn = (await nodes[0].hear(Survey)).turn
        nodes[1].say(page(turn, 0, last=True))
        nodes[0].say(page(turn - 1, 0, last=True))
        nodes[0].say(Reading(turn=turn, page=0, last=True, facts=(fact(7),)))
        assert (await asking).facts == (fact(7),)

    played(tmp_path, law)


def test_a_node_that_goes_on_and_on_is_not_listened_to(tmp_path: Path) -> None:
    async def law(stand: Stand, nodes: list[Node]) -> None:
        await nodes[0].connect(kinds=KINDS)
        asking = asyncio.ensure_future(refused(stand.service.survey("w1")))
        turn = (await nodes[0].hear(Survey)).turn
        for number in range(MAX_PAGES + 5):
            nodes[0].say(page(turn, number))
        error = await asking
        assert (error.code, f"more than {MAX_PAGES} pages" in str(error)) == ("conflict", True)

    played(tmp_path, law)


def test_why_a_node_read_nothing_is_told_escaped(tmp_path: Path) -> None:
    async def law(stand: Stand, nodes: list[Node]) -> None:
        await nodes[0].connect(kinds=KINDS)
        asking = asyncio.ensure_future(refused(stand.service.survey("w1")))
        turn = (await nodes[0].hear(Survey)).turn
        nodes[0].say(page(turn, 0, last=True, why="no disk\x1b[2J"))
        assert "no disk\\x1b[2J" in str(await asking)

    played(tmp_path, law)


def test_an_agent_that_cannot_is_not_asked(tmp_path: Path) -> None:
    async def law(stand: Stand, nodes: list[Node]) -> None:
        error = await refused(stand.service.survey("w1"))
        assert error.code == "conflict"
        assert "install a newer one there" in str(error)

    played(tmp_path, law)


def test_a_node_that_is_not_there_or_says_nothing_is_unavailable(tmp_path: Path) -> None:
    async def law(stand: Stand, nodes: list[Node]) -> None:
        surveys = impatient(stand, 0.05)
        await nodes[0].connect(kinds=KINDS)
        error = await refused(surveys.survey("w1"))
        assert (error.code, "did not answer" in str(error)) == ("unavailable", True)
        nodes[0].disconnect()
        while (await stand.service.node("w1")).connected:
            await asyncio.sleep(0.01)
        error = await refused(surveys.survey("w1"))
        assert (error.code, "not connected" in str(error)) == ("unavailable", True)

    played(tmp_path, law)


def test_one_is_read_for_one_at_a_time(tmp_path: Path) -> None:
    async def law(stand: Stand, nodes: list[Node]) -> None:
        await nodes[0].connect(kinds=KINDS)
        asking = asyncio.ensure_future(stand.service.survey("w1"))
        turn = (await nodes[0].hear(Survey)).turn
        assert (await refused(stand.service.survey("w1"))).code == "conflict"
        nodes[0].say(page(turn, 0, last=True))
        assert (await asking).facts == (fact(0),)

    played(tmp_path, law)
