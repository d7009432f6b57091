"""A real master (core, front, API) and real agents in directories: plan, look, apply, drift."""

from __future__ import annotations

import getpass
import grp
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saltern_master.api.client import Client
from saltern_master.api.plan_requests import PlanEvent, Planned
from saltern_master.api.plans import Expected, NodePlan
from saltern_master.api.requests import NewToken, TurnEvent
from saltern_master.api.service import ServiceError, TurnView

from tests.master.homes import made_home
from tests.master.test_core_process import running, wait

NAMES = ("b1", "b2")
DAEMON = "etc/docker/daemon.json"
OWNER = getpass.getuser()
GROUP = grp.getgrgid(os.getegid()).gr_name


def cluster_file(word: str) -> str:
    nodes = "".join(
        f"- {{name: {name}, address: 10.9.0.{number}, roles: [bare]}}\n"
        for number, name in enumerate(NAMES, 11)
    )
    return f"""\
apiVersion: saltern/v1
cluster: {{name: demo}}
kubernetes: {{version: 1.20.2}}
network: {{pods: 10.10.0.0/16}}
nodes:
{nodes}groups:
- match: role=bare
  resources:
  - id: daemon
    spec: {{kind: file/1, path: /{DAEMON}, text: "{word}\\n", owner: {OWNER}, group: {GROUP}}}
    drift: {{mode: report}}
"""


@contextmanager
def agent(client: Client, name: str, root: Path) -> Iterator[Path]:
    """Let a directory join as a node, and run its agent; gives the file that it holds."""
    (root / "etc/docker").mkdir(parents=True)
    words = [sys.executable, "-m", "saltern_agent", "--root", str(root)]
    made = client.make_token(NewToken(node=name, node_class="worker", seconds=60))
    subprocess.run([*words, "join", made.token], check=True, capture_output=True, timeout=50)
    with (root / "log").open("wb") as log:
        running = subprocess.Popen([*words, "run"], stdin=subprocess.DEVNULL, stderr=log)
    try:
        yield root / DAEMON
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(50)


def planned(client: Client, word: str) -> dict[str, NodePlan]:
    plan = client.plan(cluster_file(word).encode(), "")
    with client.follow_plan(plan.plan) as events:
        *_, last = events
    assert isinstance(last, PlanEvent)
    return {one.node: one for one in last.plan.nodes}


def asked(word: str, *nodes: NodePlan) -> Planned:
    expects = {one.node: Expected(body=one.body, digest=one.digest) for one in nodes}
    return Planned(file=cluster_file(word), expects=expects)


def ended(client: Client, turn: TurnView) -> dict[str, str]:
    with client.follow_turn(turn.turn) as events:
        *_, last = events
    assert isinstance(last, TurnEvent)
    return {one.node: one.result for one in last.turn.nodes}


@pytest.mark.timeout(120)
def test_what_a_plan_shows_is_what_is_applied_and_what_drifted_since_is_refused(
    tmp_path: Path,
) -> None:
    home = made_home(tmp_path)
    roots = [tmp_path / name for name in NAMES]
    with (
        running(home) as master,
        agent(master.client, NAMES[0], roots[0]) as first,
        agent(master.client, NAMES[1], roots[1]) as second,
    ):
        client = master.client
        wait("both are here", lambda: sum(one.connected for one in client.status().nodes) == 2)
        assert ended(client, client.apply(cluster_file("one").encode())) == dict.fromkeys(
            NAMES, "changed"
        )

        plan = planned(client, "two")
        for one in plan.values():
            assert (one.result, one.changes, one.hindered, one.version) == ("planned", 1, 0, 1)
            (line,) = one.lines
            assert (line.resource, line.verb, line.finding) == ("daemon", "hold", "to change")
            assert {"-one", "+two"} <= set(line.detail.splitlines())
            assert len(one.digest) == 64
        assert first.read_text() == second.read_text() == "one\n"

        turn = client.apply_planned(asked("two", plan[NAMES[0]]))
        assert ended(client, turn) == {NAMES[0]: "changed"}
        assert (first.read_text(), second.read_text()) == ("two\n", "one\n")

        second.write_text("somebody's own\n")
        with pytest.raises(ServiceError) as caught:
            client.apply_planned(asked("two", plan[NAMES[1]]))
        (fault,) = caught.value.faults
        assert caught.value.code == "conflict"
        assert fault.startswith(f"{NAMES[1]}: ")
        assert "hold daemon" in fault
        assert second.read_text() == "somebody's own\n"

        again = planned(client, "two")
        assert again[NAMES[0]].changes == 0
        assert "-somebody's own" in again[NAMES[1]].lines[0].detail.splitlines()
        turn = client.apply_planned(asked("two", *again.values()))
        assert ended(client, turn) == {NAMES[0]: "converged", NAMES[1]: "changed"}
        assert second.read_text() == "two\n"
