"""Plans and targets over the HTTP API: what is asked, followed, applied and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from saltern_master.api.plans import PlanLineView
from saltern_master.testing.service import FakeService

from tests.master.clusters import SMALL
from tests.master.test_api import joined, problem, run
from tests.master.test_cluster_file import SIX_MISTAKES

TWO = SMALL + "- {name: w2, address: 10.9.0.22, labels: {zone: b}}\n"
LINE = PlanLineView(
    resource="motd",
    verb="hold",
    finding="to change",
    change="write /etc/motd",
    impact="none",
    detail="--- a\n+++ b\n+hello\n",
)
DIGEST = "0" * 64


def expected(plan: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {
        one["node"]: {"body": one["body"], "digest": one["digest"]}
        for one in plan["nodes"]
        if one["result"] == "planned"
    }


def test_a_plan_is_followed_line_by_line_and_writes_nothing(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1", "w2")
        begun = await http.post("/v1/plans", content=TWO)
        assert begun.status_code == 202
        assert [one["result"] for one in begun.json()["nodes"]] == ["waiting", "waiting"]
        async with http.stream("GET", "/v1/plans/1/events") as answer:
            assert answer.headers["content-type"] == "application/x-ndjson"
            await fake.foresee("w2", LINE)
            await fake.foresee("w1")
            lines = [json.loads(line) async for line in answer.aiter_lines()]
        assert [line["event"] for line in lines] == ["node", "node", "plan"]
        told = {line["node"]["node"]: line["node"] for line in lines[:2]}
        assert told["w2"]["lines"][0]["detail"] == LINE.detail
        assert {name: one["changes"] for name, one in told.items()} == {"w1": 0, "w2": 1}
        assert (await http.get("/v1/plans/1")).json() == lines[2]["plan"]
        assert (await http.get("/v1/status")).json()["revision"] == 0

    run(tmp_path, law)


def test_without_a_file_the_one_that_was_applied_last_is_planned(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        assert problem(await http.post("/v1/plans"))["status"] == 409
        await http.post("/v1/apply", content=TWO)
        again = (await http.post("/v1/plans?target=zone%3Db")).json()
        assert (again["revision"], [one["node"] for one in again["nodes"]]) == (1, ["w2"])
        assert again["nodes"][0]["result"] == "refused"

    run(tmp_path, law)


def test_what_was_planned_is_applied_and_what_moved_is_not(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1", "w2")
        for name in ("w1", "w2"):
            await fake.foresee(name, LINE)
        plan = (await http.post("/v1/plans", content=TWO)).json()
        asked = {"file": TWO, "expects": expected(plan)}
        await fake.foresee("w2")
        stale = problem(await http.post("/v1/plans/apply", json=asked))
        assert (stale["status"], len(stale["faults"])) == (409, 1)
        assert stale["faults"][0].startswith("w2: ")
        assert (await http.get("/v1/status")).json()["revision"] == 0
        await fake.foresee("w2", LINE)
        begun = await http.post("/v1/plans/apply", json=asked)
        assert (begun.status_code, begun.json()["revision"]) == (202, 1)
        assert [one["node"] for one in begun.json()["nodes"]] == ["w1", "w2"]

    run(tmp_path, law)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/plans/9", "", 404),
        ("GET", "/v1/plans/9/events", "", 404),
        ("GET", "/v1/plans/nine", "", 422),
        ("GET", "/v1/plans/apply", "", 405),
        ("POST", "/v1/plans", SIX_MISTAKES, 422),
        ("POST", "/v1/plans?target=zoen%3Da", TWO, 422),
        ("POST", "/v1/plans?target=w9", TWO, 422),
        ("POST", f"/v1/plans?target={'w' * 5000}", TWO, 422),
        ("POST", "/v1/plans?nodes=w1", TWO, 422),
        ("POST", "/v1/plans/apply", "{}", 422),
        ("POST", "/v1/plans/apply", '{"file": "x", "expects": {}}', 422),
        (
            "POST",
            "/v1/plans/apply",
            f'{{"file": "x", "expects": {{"w1": {{"body": "", "digest": "{DIGEST}"}}}}}}',
            422,
        ),
        ("GET", "/v1/nodes?target=zoen%3Da", "", 422),
        ("GET", "/v1/nodes?explain=perhaps", "", 422),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_planned_is_a_problem(
    tmp_path: Path, method: str, path: str, body: str, status: int
) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        assert problem(await http.request(method, path, content=body))["status"] == status

    run(tmp_path, law)


def test_all_faults_of_a_target_are_told(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        told = problem(await http.post("/v1/plans?target=zoen%3Db,memory%3E4", content=TWO))
        assert len(told["faults"]) == 2
        assert "did you mean zone?" in told["faults"][0]

    run(tmp_path, law)


def test_nodes_are_listed_by_a_target_that_explains_itself(tmp_path: Path) -> None:
    async def law(http: httpx.AsyncClient, fake: FakeService) -> None:
        await joined(fake, "w1", "w2")
        await http.post("/v1/apply", content=TWO)
        (one,) = (await http.get("/v1/nodes?target=role%3Dworker,zone%3Db")).json()
        assert (one["name"], one["labels"]) == ("w2", {"zone": "b"})
        assert one["terms"] == [
            {"term": "role=worker", "holds": True, "found": "worker"},
            {"term": "zone=b", "holds": True, "found": "b"},
        ]
        both = (await http.get("/v1/nodes?target=zone%3Db&explain=true")).json()
        assert [each["terms"][0]["holds"] for each in both] == [False, True]
        every = (await http.get("/v1/nodes")).json()
        assert [(each["name"], each["terms"]) for each in every] == [("w1", []), ("w2", [])]

    run(tmp_path, law)
