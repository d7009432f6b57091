"""Drift in a running core: kept through a restart, explained by the node's own document."""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace
from saltern_master.api.drifts import DriftAsk, DriftPolicyView
from saltern_master.api.holds import HoldAsk
from saltern_master.api.service import DriftView, ServiceError
from saltern_master.core.drifts import Drifts
from saltern_master.library import Library
from saltern_master.signing.home import Home
from saltern_protocol.report import DriftSeen, Nature

from tests.contracts.service_stands import TWO
from tests.master.core_laws import run, taken
from tests.master.core_stand import Node, Stand
from tests.master.homes import made_home

HELD = {
    "id": "held",
    "spec": {"kind": "file/1", "path": "/etc/kubernetes/held", "text": "Held.\n"},
    "drift": {"mode": "enforce", "times": 3, "minutes": 10},
}
FILE = TWO + f"groups: {json.dumps([{'match': 'name=w1', 'resources': [HELD]}])}\n"


def fought(node: Node, resource: str) -> DriftSeen:
    """Give a drift with all that a node can tell of one."""
    return replace(
        node.deviation(resource),
        detail="-a\n+b\n",
        by="vi (pid 7)",
        nature=Nature.INTENDED,
        hindrance="held",
        attempts=3,
        incident=True,
    )


def told(one: DriftView) -> tuple[object, ...]:
    return (one.detail, one.by, one.nature, one.hindrance, one.attempts, one.incident)


ALL = ("-a\n+b\n", "vi (pid 7)", "intended", "held", 3, True)


def test_all_that_a_node_told_is_there_after_a_restart(home: Home) -> None:
    seen: list[DriftView] = []

    async def before(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await w1.report(fought(w1, "over"), w1.healing("over"), fought(w1, "open"))
        seen.extend(await stand.service.drift(DriftAsk()))
        assert [told(one) for one in seen] == [ALL, ALL]
        assert [one.id for one in seen] == ["w1:2", "w1:1"]

    async def after(stand: Stand) -> None:
        assert await stand.service.drift(DriftAsk()) == tuple(seen)
        assert await stand.service.drift(DriftAsk(open=True)) == (seen[0],)
        assert (await stand.service.one_drift("w1:1")).drift == seen[1]

        (w1,) = [stand.nodes["w1"]]
        await w1.connect()
        await w1.report(w1.healing("open"))
        assert await stand.service.drift(DriftAsk(open=True)) == ()
        assert told((await stand.service.one_drift("w1:2")).drift) == ALL

    run(home, before, after)


def test_a_drift_is_explained_by_its_nodes_document(home: Home) -> None:
    async def law(stand: Stand) -> None:
        w1, w2 = await stand.joined("w1", "w2")
        await taken(await stand.service.apply(FILE.encode()), w1, w2)
        for node in (w1, w2):
            await node.report(node.deviation("held"))
        here = await stand.service.one_drift("w1:1")
        elsewhere = await stand.service.one_drift("w2:1")
        assert here.policy == DriftPolicyView(mode="enforce", times=3, minutes=10)
        assert (here.connected, elsewhere.policy) == (True, None)

        await stand.service.hold(HoldAsk(nodes=("w1",), seconds=60, why="a disk", by="ann"))
        held = (await stand.service.one_drift("w1:1")).hold
        assert (here.hold, held and held.by) == (None, "ann")

        w1.disconnect()
        async with asyncio.timeout(20):
            while (await stand.service.one_drift("w1:1")).connected:
                await asyncio.sleep(0.01)

    run(home, law)


def test_what_an_open_drift_became_is_followed_and_kept_in_its_place(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        first = w1.deviation("a")
        heard: list[DriftView] = []

        async def follow() -> None:
            async for one in stand.service.follow_drift(DriftAsk(resource="a", incident=True)):
                heard.append(one)
                return

        following = asyncio.create_task(follow())
        await asyncio.sleep(0)
        await w1.report(first)
        (before,) = await stand.service.drift(DriftAsk())
        await w1.report(replace(first, incident=True, hindrance="a fight", found=("other",)))
        async with asyncio.timeout(20):
            await following
        (after,) = await stand.service.drift(DriftAsk())

        assert heard == [after]
        assert (after.incident, after.hindrance, after.found) == (True, "a fight", ("other",))
        assert (after.since, after.stored, after.id) == (before.since, before.stored, before.id)

    run(home, law)


def test_what_an_earlier_incarnation_told_has_another_name(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        earlier = w1.incarnation
        await w1.report(w1.deviation("a"))
        await stand.service.remove("w1", True)
        (gone,) = await stand.service.drift(DriftAsk())
        assert (gone.id, gone.outcome) == ("w1:1", "its node was removed")

        (w1,) = await stand.joined("w1")
        await w1.report(w1.deviation("b"))
        new, old = await stand.service.drift(DriftAsk())
        assert (new.id, old.id) == ("w1:1", f"w1:1@{earlier[:8]}")
        assert (await stand.service.one_drift(old.id)).drift == old
        assert (await stand.service.one_drift(new.id)).drift == new

    run(home, law)


def test_a_question_that_reads_too_much_is_refused(home: Home) -> None:
    async def law(stand: Stand) -> None:
        (w1,) = await stand.joined("w1")
        await w1.report(*(w1.deviation(f"r{number}") for number in range(9)))
        few = Drifts(stand.store, stand.office.known, Library(home.path), most_read=8)

        assert len(await few.listed(DriftAsk(most=8))) == 8
        with pytest.raises(ServiceError, match="ask for one node, a target or a time") as caught:
            await few.listed(DriftAsk(resource="none"))
        assert caught.value.code == "invalid"

    run(home, law)


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return made_home(tmp_path_factory.mktemp("home"))
