"""The HTTP API on a real unix socket: every route, every refusal, and its own description."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from saltern_master.api.app import DOCS, OPENAPI, make_app
from saltern_master.api.openapi import document
from saltern_master.api.page import page
from saltern_master.api.requests import MOST_CLUSTER_FILE, MOST_JSON
from saltern_master.api.routes import ROUTES
from saltern_master.api.rows import Stream, Text
from saltern_master.api.serve import SocketError, listen, serve
from saltern_master.testing.service import FakeService
from starlette.routing import Route as Place

from tests.master.api_stand import NOW, SECONDS, Clock, serving
from tests.master.clusters import SMALL
from tests.master.test_cluster_file import SIX_MISTAKES

Law = Callable[[httpx.AsyncClient, FakeService], Awaitable[None]]


def run(path: Path, law: Law) -> None:
    """Run a law against a served service."""

    async def whole() -> None:
        fake, place = FakeService(Clock()), path / "run" / "api.sock"
        async with asyncio.timeout(SECONDS), serving(fake, place):
            transport = httpx.AsyncHTTPTransport(uds=str(place))
            async with httpx.AsyncClient(transport=transport, base_url="http://master") as http:
                await law(http, fake)

    asyncio.run(whole())


async def joined(fake: FakeService, *names: str) -> None:
    for name in names:
        await fake.join((await fake.make_token(name, "worker", 60, False)).token, f"key-{name}")


def problem(answer: httpx.Response) -> dict[str, Any]:
    """Give a refusal; that it is one of the promised form is part of every law."""
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == answer.status_code
    assert told["detail"].startswith("cannot ")
    assert told["type"].startswith("urn:saltern:problem:")
    return told


def test_a_node_joins_is_seen_and_is_revoked(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        made = await http.post("/v1/tokens", json={"node": "w1", "seconds": 60})
        assert (made.status_code, made.json()["nodeClass"]) == (201, "worker")
        (listed,) = (await http.get("/v1/tokens")).json()
        assert (listed["id"], listed["token"]) == (made.json()["id"], "")
        await fake.join(made.json()["token"], "key")
        assert (await http.get("/v1/nodes/w1")).json()["fingerprint"] == "key"
        assert [one["name"] for one in (await http.get("/v1/nodes")).json()] == ["w1"]
        assert (await http.get("/v1/status")).json()["nodes"][0]["state"] == "joined"
        assert (await http.post("/v1/nodes/w1/revoke")).json()["state"] == "revoked"

    run(tmp_path, law)


def test_a_pending_machine_is_approved(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await fake.join((await fake.make_token("w1", "worker", 60, True)).token, "key")
        wrong = await http.post("/v1/nodes/w1/approve", json={"fingerprint": "other"})
        assert problem(wrong)["status"] == 409
        right = await http.post("/v1/nodes/w1/approve", json={"fingerprint": "key"})
        assert right.json()["state"] == "joined"

    run(tmp_path, law)


def test_an_apply_is_followed_line_by_line(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1")
        begun = await http.post("/v1/apply", content=SMALL)
        assert (begun.status_code, begun.json()["nodes"][0]["result"]) == (202, "waiting")
        async with http.stream("GET", "/v1/turns/1/events") as answer:
            assert answer.headers["content-type"] == "application/x-ndjson"
            await fake.report(1, "w1", "changed", 3, "")
            lines = [json.loads(line) async for line in answer.aiter_lines()]
        assert [line["event"] for line in lines] == ["node", "turn"]
        assert lines[0]["node"]["changes"] == 3
        assert (await http.get("/v1/turns/1")).json() == lines[1]["turn"]

    run(tmp_path, law)


def test_a_removal_is_a_turn(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1")
        answer = await http.delete("/v1/nodes/w1")
        assert (answer.status_code, answer.json()["nodes"][0]["node"]) == (202, "w1")
        assert (await http.get("/v1/nodes/w1")).json()["state"] == "removing"

    run(tmp_path, law)


def test_drift_that_comes_after_the_headers_is_told(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1", "w2")
        async with http.stream("GET", "/v1/drift/events?node=w1") as answer:
            await fake.deviate("w2", "b")
            await fake.deviate("w1", "a")
            line = json.loads(await anext(answer.aiter_lines()))
        assert (line["event"], line["drift"]["resource"]) == ("drift", "a")
        listed = (await http.get("/v1/drift?most=1&open=true")).json()
        assert [one["resource"] for one in listed] == ["a"]

    run(tmp_path, law)


def test_drift_is_asked_for_by_target_kind_and_time(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1", "w2")
        await fake.deviate("w1", "a")
        await fake.deviate("w2", "b", kind="unit/1", nature="intended")

        async def ids(query: str) -> list[str]:
            answer = await http.get(f"/v1/drift?{query}")
            assert answer.status_code == 200, answer.text
            return [one["id"] for one in answer.json()]

        assert await ids("target=name=w*") == ["w2:2", "w1:1"]
        assert await ids("target=name=w*&node=w1") == ["w1:1"]
        assert await ids("kind=unit") == await ids("kind=unit/1&nature=intended") == ["w2:2"]
        assert await ids(f"since={NOW}") == await ids("since=2027-01-15T08:00:00Z")
        assert await ids("since=2027-01-15T08:00:00") == ["w2:2", "w1:1"]
        assert await ids("until=2027-01-15T09:00:00%2B01:00") == []
        assert await ids("most=1&before=w2:2") == ["w1:1"]
        page = (await http.get("/v1/drift/w2:2")).json()
        assert (page["drift"]["nature"], page["policy"], page["after"]) == ("intended", None, [])

    run(tmp_path, law)


def test_a_wrong_question_about_drift_is_told_whole_and_with_what_there_is(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1")
        query = "target=rol=x&kind=units&nature=mine&since=soon"
        told = problem(await http.get(f"/v1/drift?{query}"))
        target, since, kind, nature = told["faults"]
        assert told["detail"] == "cannot look for this drift: 4 faults"
        assert target.startswith("target: rol=x: there is no rol; did you mean role?")
        assert since.startswith("since: soon is no time")
        assert kind.startswith("kind: there is no units; did you mean unit?; kinds: absent-link,")
        assert nature.endswith("natures: external, corrective, intended")

    run(tmp_path, law)


def test_all_faults_of_a_file_are_told(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        told = problem(await http.post("/v1/apply", content=SIX_MISTAKES))
        assert (told["status"], len(told["faults"])) == (422, 6)
        assert told["detail"] == "cannot take the cluster file: 6 faults"

    run(tmp_path, law)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/", "", 404),
        ("GET", "/v1/status/", "", 404),
        ("GET", "/v1/nodes/w9", "", 404),
        ("GET", "/v1/nodes/%2e%2e%2fetc", "", 404),
        ("GET", "/v1/nodes/W1", "", 422),
        ("GET", "/v1/turns/nine", "", 422),
        ("GET", "/v1/turns/9/events", "", 404),
        ("GET", "/v1/drift?node=w9", "", 422),
        ("GET", "/v1/drift/events?node=w9", "", 422),
        ("GET", "/v1/drift?most=0", "", 422),
        ("GET", "/v1/drift?most=1&most=2", "", 422),
        ("GET", "/v1/drift?nodes=w1", "", 422),
        ("GET", "/v1/drift?target=role=x", "", 422),
        ("GET", "/v1/drift?kind=files", "", 422),
        ("GET", "/v1/drift?nature=mine", "", 422),
        ("GET", "/v1/drift?since=yesterday", "", 422),
        ("GET", "/v1/drift?since=nan", "", 422),
        ("GET", "/v1/drift?since=9&until=8", "", 422),
        ("GET", "/v1/drift?before=w1:9", "", 404),
        ("GET", "/v1/drift/events?most=1", "", 422),
        ("GET", "/v1/drift/events?target=w9", "", 422),
        ("GET", "/v1/drift/w1:9", "", 404),
        ("GET", "/v1/drift/w1", "", 422),
        ("GET", "/v1/status?x=1", "", 422),
        ("PUT", "/v1/tokens", "", 405),
        ("BREW", "/v1/status", "", 405),
        ("POST", "/v1/openapi.json", "", 405),
        ("POST", "/v1/tokens", "{", 422),
        ("POST", "/v1/tokens", b'{"node": "w1", "no\xffe": 1}', 422),
        ("POST", "/v1/tokens", '{"node": "w1", "sconds": 1}', 422),
        ("POST", "/v1/tokens", '{"node": "../w1"}', 422),
        ("POST", "/v1/tokens", '{"node": "w1", "seconds": 0}', 422),
        ("POST", "/v1/tokens", " " * (MOST_JSON + 1), 413),
        ("POST", "/v1/apply", " " * (MOST_CLUSTER_FILE + 1), 413),
        ("POST", "/v1/kubeconfig", "nonsense", 422),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_answered_is_a_problem(
    tmp_path: Path, method: str, path: str, body: str | bytes, status: int
) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        assert problem(await http.request(method, path, content=body))["status"] == status

    run(tmp_path, law)


def test_a_refused_method_says_which_there_are(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        assert (await http.put("/v1/tokens")).headers["allow"] == "GET, POST"

    run(tmp_path, law)


class Broken(FakeService):
    """A service that fails in a way that nobody foresaw."""

    async def tokens(self) -> Any:  # noqa: ANN401 - it gives nothing
        raise KeyError("a secret")


def test_what_nobody_foresaw_tells_nothing_of_itself(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def whole() -> None:
        place = tmp_path / "api.sock"
        async with asyncio.timeout(SECONDS), serving(Broken(Clock()), place):
            transport = httpx.AsyncHTTPTransport(uds=str(place))
            async with httpx.AsyncClient(transport=transport, base_url="http://master") as http:
                answer = await http.get("/v1/tokens")
                assert problem(answer)["status"] == 500
                assert "a secret" not in answer.text
                assert (await http.get("/v1/status")).status_code == 200

    asyncio.run(whole())
    assert "a secret" in caplog.text


def test_the_socket_is_the_groups_too_and_gone_afterwards(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        assert stat.S_IMODE((tmp_path / "run" / "api.sock").stat().st_mode) == 0o660

    run(tmp_path, law)
    assert not (tmp_path / "run" / "api.sock").exists()


def test_streams_end_when_the_master_stops(tmp_path: Path) -> None:
    async def whole() -> None:
        fake, place = FakeService(Clock()), tmp_path / "api.sock"
        async with asyncio.timeout(SECONDS), serving(fake, place) as stop:
            transport = httpx.AsyncHTTPTransport(uds=str(place))
            async with (
                httpx.AsyncClient(transport=transport, base_url="http://master") as http,
                http.stream("GET", "/v1/drift/events") as answer,
            ):
                stop.set()
                assert [line async for line in answer.aiter_lines()] == []

    asyncio.run(whole())


def test_a_dead_masters_socket_is_replaced_and_a_living_ones_is_not(tmp_path: Path) -> None:
    place = tmp_path / "api.sock"
    listen(place).close()  # the name stays, as after a kill
    living = listen(place)
    try:
        with pytest.raises(SocketError, match="another master runs there"):
            listen(place)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.connect(str(place))
    finally:
        living.close()


def test_what_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    place = tmp_path / "api.sock"
    place.write_text("a file")
    with pytest.raises(SocketError, match="cannot listen on"):
        asyncio.run(serve(FakeService(Clock()), place, asyncio.Event()))
    assert place.read_text() == "a file"


def test_every_path_is_in_the_table_and_in_the_document() -> None:
    app = make_app(FakeService(Clock()), asyncio.Event(), "1")
    paths = {place.path for place in app.routes if isinstance(place, Place)}
    told = document(ROUTES, "1")

    assert len(paths) == len(app.routes)
    assert paths == {row.path for row in ROUTES} | {OPENAPI, DOCS}
    assert {(path, method) for path, one in told["paths"].items() for method in one} == {
        (row.path, row.method.lower()) for row in ROUTES
    }


def references(value: object) -> set[str]:
    """Give everything that a document points to."""
    if isinstance(value, dict):
        here = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return here.union(*map(references, value.values()))
    return set().union(*map(references, value)) if isinstance(value, list) else set()


def test_the_document_holds_together(tmp_path: Path) -> None:
    told = json.loads(msgspec.json.encode(document(ROUTES, "1")))
    operations = [one for path in told["paths"].values() for one in path.values()]

    assert told["openapi"].startswith("3.1.")
    assert references(told) == {
        f"#/components/schemas/{name}" for name in told["components"]["schemas"]
    }
    assert len({one["operationId"] for one in operations}) == len(ROUTES)
    assert r"\Z" not in json.dumps(told)
    for row in ROUTES:
        one = told["paths"][row.path][row.method.lower()]
        named = {at["name"] for at in one.get("parameters", ()) if at["in"] == "path"}
        assert named == {part[1:-1] for part in row.path.split("/") if part.startswith("{")}
        assert all(at["required"] for at in one.get("parameters", ()) if at["in"] == "path")
        assert ("requestBody" in one) == (row.body is not None)
        media = ["application/x-ndjson" if isinstance(row, Stream) else "application/json"]
        media = list(row.forms) if isinstance(row, Text) else media
        assert list(one["responses"][str(row.status)]["content"]) == media
        assert "default" in one["responses"]


def test_the_document_and_its_page_are_served(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        told = (await http.get(OPENAPI)).json()
        html = await http.get(DOCS)
        assert told["paths"].keys() == {row.path for row in ROUTES}
        assert html.headers["content-type"].startswith("text/html")
        assert html.text == page(told)
        assert all(row.summary.replace("'", "&#x27;") in html.text for row in ROUTES)
        assert "src=" not in html.text
        assert "http" not in html.text.replace("http-equiv", "")

    run(tmp_path, law)
