"""Rollouts and Kubernetes: Ready nodes, budgets that hold a drain up, doors that others closed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_master.api.rollouts import RolloutView, Steering
from saltern_master.core.probes import probe
from saltern_master.kube.deeds import CORDONED
from saltern_master.rollouts.strategy import Probe
from saltern_master.signing.home import Home
from saltern_master.testing.kubernetes import FakeKubernetes

from tests.master.core_laws import run
from tests.master.core_stand import Stand, core_stand
from tests.master.homes import made_home
from tests.master.playing import (
    FAST,
    Player,
    applied,
    file_of,
    phase,
    played,
    rolled,
    stages,
    until,
)

TWO = ("w1", "w2")
OWNED = [{"kind": "ReplicaSet", "controller": True}]
DAEMON = [{"kind": "DaemonSet", "controller": True}]
Law = Callable[[Stand, FakeKubernetes, dict[str, Player]], Awaitable[None]]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return made_home(tmp_path)


def with_kubernetes(home: Home, law: Law) -> None:
    """Run a law on two nodes that Kubernetes knows, each of which has to be drained."""
    api = FakeKubernetes()
    for name in TWO:
        api.add_node(name)
        api.say_ready(name)

    async def whole() -> None:
        async with asyncio.timeout(30), core_stand(home, reach=lambda _: api) as stand:
            players = await played(stand, *TWO)
            await applied(stand, file_of(1, *TWO))
            for one in players.values():
                one.got, one.impact = [], "drain"
            await law(stand, api, players)

    asyncio.run(whole())


def is_closed(api: FakeKubernetes, name: str) -> bool:
    return bool(api.objects[name]["spec"].get("unschedulable"))


async def waits(stand: Stand, number: int, text: str) -> RolloutView:
    async with asyncio.timeout(10):
        while text not in (view := await stand.service.rollout(number)).waits_for:
            await asyncio.sleep(0.01)
    return view


def saying(api: FakeKubernetes, name: str, ready: str) -> Callable[[str], str]:
    def says(_: str) -> str:
        api.say_ready(name, ready)
        return "changed"

    return says


def test_a_budget_holds_a_drain_up_and_is_named(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        api.add_pod("default", "web", "w1", ownerReferences=OWNED)
        api.add_pod("kube-system", "proxy", "w1", ownerReferences=DAEMON)
        api.budgets["default", "web"] = 10**9
        number = await rolled(stand, file_of(2, *TWO))
        await waits(stand, number, "default/web waits: ")
        view = await waits(stand, number, "a disruption budget is against it")
        assert stages(view) == {"w1": "draining", "w2": "waiting"}
        assert is_closed(api, "w1")
        assert players["w1"].got == []

        api.budgets["default", "web"] = 0
        done = await phase(stand, number, "done")
        assert stages(done) == {"w1": "done", "w2": "done"}
        assert [is_closed(api, name) for name in TWO] == [False, False]
        assert CORDONED not in api.objects["w1"]["metadata"].get("annotations", {})
        assert list(api.pods) == [("kube-system", "proxy")]

    with_kubernetes(home, law)


def test_an_abort_gives_back_what_was_being_drained(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        api.add_pod("default", "web", "w1", ownerReferences=OWNED)
        api.budgets["default", "web"] = 10**9
        number = await rolled(stand, file_of(2, *TWO))
        await until(stand, lambda: is_closed(api, "w1"))
        await stand.service.steer_rollout(number, Steering(action="abort"))
        await until(stand, lambda: not is_closed(api, "w1"))
        await until(stand, lambda: number not in stand.office.driving.book.open)
        assert players["w1"].got == []

    with_kubernetes(home, law)


def test_what_somebody_else_closed_stays_closed(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        await api.patch_node("w1", {"spec": {"unschedulable": True}})
        await phase(stand, await rolled(stand, file_of(2, *TWO)), "done")
        assert [is_closed(api, name) for name in TWO] == [True, False]

    with_kubernetes(home, law)


def test_a_node_that_is_not_ready_keeps_the_next_waiting(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        players["w1"].says = saying(api, "w1", "False")
        number = await rolled(stand, file_of(2, *TWO))
        await waits(stand, number, "Kubernetes does not call it Ready")
        assert players["w2"].got == []
        api.say_ready("w1")
        await phase(stand, number, "done")

    with_kubernetes(home, law)


def test_who_was_not_ready_before_comes_first(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        api.say_ready("w2", "Unknown")
        players["w2"].says = saying(api, "w2", "True")
        view = await phase(stand, await rolled(stand, file_of(2, *TWO)), "done")
        assert [one.node for one in view.nodes] == ["w2", "w1"]

    with_kubernetes(home, law)


def test_a_server_that_goes_away_while_a_node_is_closed_is_waited_for(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        api.add_pod("default", "web", "w1", ownerReferences=OWNED)
        api.budgets["default", "web"] = 10**9
        number = await rolled(stand, file_of(2, *TWO))
        await until(stand, lambda: is_closed(api, "w1"))
        await waits(stand, number, "default/web")
        api.away = "connection refused"
        await waits(stand, number, "connection refused")
        assert players["w1"].got == []
        api.away = ""
        api.budgets.clear()
        await phase(stand, number, "done")
        assert not is_closed(api, "w1")

    with_kubernetes(home, law)


def test_a_server_that_is_away_for_a_moment_is_asked_before_a_node_is_disturbed(
    home: Home,
) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        api.add_pod("default", "web", "w1", ownerReferences=OWNED)
        api.budgets["default", "web"] = 10**9
        api.away = "connection refused"
        number = await rolled(stand, file_of(2, *TWO))
        await waits(stand, number, "connection refused")
        assert players["w1"].got == []
        api.away = ""
        await waits(stand, number, "default/web")
        assert (players["w1"].got, is_closed(api, "w1")) == ([], True)
        api.budgets.clear()
        await phase(stand, number, "done")

    with_kubernetes(home, law)


def test_a_server_that_stays_away_does_not_hold_up_a_rollout_for_ever(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        api.away = "connection refused"
        number = await rolled(stand, file_of(2, *TWO))
        await waits(stand, number, "connection refused")
        await until(stand, lambda: bool(players["w1"].got))
        assert any("w1 is not drained: " in one for one in stand.log)

    with_kubernetes(home, law)


def test_who_removes_a_node_is_told_that_it_was_not_drained(home: Home) -> None:
    async def law(stand: Stand, api: FakeKubernetes, players: dict[str, Player]) -> None:
        api.away = "connection refused"
        number = (await stand.service.remove("w1", False)).turn
        await until(stand, lambda: number not in stand.office.known.turns)
        assert (await stand.service.turn(number)).notes == (
            "w1 is not drained: there is no API server that answers",
        )

    with_kubernetes(home, law)


def test_without_a_server_a_drain_is_done_at_once_and_the_log_says_so(home: Home) -> None:
    async def law(stand: Stand) -> None:
        players = await played(stand, *TWO)
        await applied(stand, file_of(1, *TWO))
        for one in players.values():
            one.impact = "reboot"
        await phase(stand, await rolled(stand, file_of(2, *TWO)), "done")
        assert any("w1 is not drained: the cluster has no API server" in one for one in stand.log)

    run(home, law)


def test_a_probe_of_the_users_is_a_gate_too(home: Home) -> None:
    asked: list[str] = []

    async def here(address: str, wanted: Probe) -> str:
        asked.append(address)
        return await probe("127.0.0.1", wanted)

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def whole() -> None:
        async with asyncio.timeout(30), core_stand(home, probing=here) as stand:
            players = await played(stand, *TWO)
            await applied(stand, file_of(1, *TWO))
            players["w2"].got.clear()
            async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
                port = server.sockets[0].getsockname()[1]
            strategy = replace(FAST, probes=(Probe(port=port, timeout=1.0),))
            number = await rolled(stand, file_of(2, *TWO), strategy)
            await waits(stand, number, f"port {port} is not reached")
            assert players["w2"].got == []
            assert set(asked) == {"10.9.0.21"}
            async with await asyncio.start_server(serve, "127.0.0.1", port):
                await phase(stand, number, "done")
            assert set(asked) == {"10.9.0.21", "10.9.0.22"}

    asyncio.run(whole())
