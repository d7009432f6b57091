"""Rollouts over HTTP on a real unix socket: each route, what is refused, each line of a stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import msgspec
import pytest
from saltern_master.api.client import Client
from saltern_master.api.requests import MOST_CLUSTER_FILE, MOST_JSON
from saltern_master.api.rollout_requests import MOST_ASK, RolloutEvent
from saltern_master.api.rollouts import RolloutAsk, Steering
from saltern_master.rollouts.strategy import Strategy
from saltern_master.testing.service import FakeService

from tests.master.api_stand import SECONDS, Clock, serving
from tests.master.clusters import SMALL

Law = Callable[[httpx.AsyncClient, FakeService, Client], Awaitable[None]]
FAST = {"soak": 0, "hold": 0}


def run(path: Path, law: Law) -> None:
    """Run a law against a served service with one node."""

    async def whole() -> None:
        fake, place = FakeService(Clock()), path / "run" / "api.sock"
        await fake.join((await fake.make_token("w1", "worker", 60, False)).token, "key")
        async with asyncio.timeout(SECONDS), serving(fake, place):
            transport = httpx.AsyncHTTPTransport(uds=str(place))
            async with httpx.AsyncClient(transport=transport, base_url="http://master") as http:
                await law(http, fake, Client(place))

    asyncio.run(whole())


def test_a_rollout_is_begun_steered_and_followed_line_by_line(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService, client: Client) -> None:
        begun = await http.post("/v1/rollouts", json={"file": SMALL, "strategy": FAST, "by": "ann"})
        assert (begun.status_code, begun.json()["phase"]) == (202, "running")
        for action, phase in (("pause", "paused"), ("resume", "running")):
            steered = await http.post("/v1/rollouts/0/steer", json={"action": action, "by": "bob"})
            assert (steered.status_code, steered.json()["phase"]) == (200, phase)
        async with http.stream("GET", "/v1/rollouts/0/events") as answer:
            assert answer.headers["content-type"] == "application/x-ndjson"
            await fake.carry(1, {})
            lines = [json.loads(line) async for line in answer.aiter_lines()]
        assert [line["node"]["stage"] for line in lines if line["event"] == "node"][-1] == "done"
        assert lines[-1]["event"] == "rollout"
        assert (await http.get("/v1/rollouts/1")).json() == lines[-1]["rollout"]
        (listed,) = (await http.get("/v1/rollouts?most=5")).json()
        assert (listed["rollout"], listed["by"], listed["nodes"]) == (1, "ann", [])

    run(tmp_path, law)


def test_the_client_asks_and_reads_the_same(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService, client: Client) -> None:
        ask = RolloutAsk(file=SMALL, strategy=Strategy(max_unavailable={"worker": "2"}, soak=0.0))
        begun = await asyncio.to_thread(client.start_rollout, ask)
        assert begun == await fake.rollout(1)
        assert begun.strategy == ask.strategy
        steering = Steering(action="abort", by="bob")
        ended = await asyncio.to_thread(client.steer_rollout, 1, steering)
        assert (ended.phase, ended) == ("aborted", await fake.rollout(1))
        assert await asyncio.to_thread(client.rollouts, 3) == await fake.rollouts(3)

        def followed() -> list[object]:
            with client.follow_rollout(1) as events:
                return list(events)

        assert await asyncio.to_thread(followed) == [RolloutEvent(rollout=ended)]

    run(tmp_path, law)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/rollouts/1", "", 404),
        ("GET", "/v1/rollouts/0", "", 404),
        ("GET", "/v1/rollouts/0/events", "", 404),
        ("GET", "/v1/rollouts/7/events", "", 404),
        ("GET", "/v1/rollouts/-1", "", 422),
        ("GET", "/v1/rollouts/one", "", 422),
        ("GET", "/v1/rollouts?most=0", "", 422),
        ("GET", "/v1/rollouts?least=1", "", 422),
        ("POST", "/v1/rollouts", "{}", 409),
        ("POST", "/v1/rollouts", '{"files": ""}', 422),
        ("POST", "/v1/rollouts", '{"strategy": {"canari": "1"}}', 422),
        ("POST", "/v1/rollouts", '{"strategy": {"canary": "one"}}', 422),
        ("POST", "/v1/rollouts", '{"strategy": {"soak": -1}}', 422),
        ("POST", "/v1/rollouts", '{"strategy": {"waves": ["10%"]}, "file": "x"}', 422),
        ("POST", "/v1/rollouts", " " * (MOST_ASK + 1), 413),
        ("POST", "/v1/rollouts/0/steer", '{"action": "pause"}', 404),
        ("POST", "/v1/rollouts/1/steer", '{"action": "stop"}', 422),
        ("POST", "/v1/rollouts/1/steer", " " * (MOST_JSON + 1), 413),
        ("DELETE", "/v1/rollouts/1", "", 405),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_answered_is_a_problem(
    tmp_path: Path, method: str, path: str, body: str, status: int
) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService, client: Client) -> None:
        told = await http.request(method, path, content=body)
        assert told.headers["content-type"] == "application/problem+json"
        assert told.json()["status"] == status, told.text
        assert await fake.rollouts(1) == ()

    run(tmp_path, law)


def test_the_largest_cluster_file_fits_into_what_is_asked() -> None:
    lines = RolloutAsk(file=("- x\n" * MOST_CLUSTER_FILE)[:MOST_CLUSTER_FILE])

    assert len(msgspec.json.encode(lines)) <= MOST_ASK
