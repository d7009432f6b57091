"""An agent in a directory of its own, and the master that it has joined: the link, for real."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.places import Master, Places, keep_master
from saltern_protocol import messages
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Outcome
from saltern_states.artifact import Artifact
from saltern_states.body import DriftPolicy, Resource, make_body, write_body
from saltern_states.contract import Spec

from tests.agent.fake_master import DEADLINE_SECONDS, FakeMaster
from tests.agent.test_root import DAEMON, command, made

LARGE = secrets.token_bytes(3 * 1024 * 1024 + 17)


def body(*specs: Spec, drift: DriftPolicy = DriftPolicy()) -> bytes:  # noqa: B008
    resources = (
        Resource(id=f"r{number}", spec=spec, drift=drift) for number, spec in enumerate(specs)
    )
    return write_body(make_body(tuple(resources)))


@dataclass
class Joined:
    """A node that has joined a master, and its agent's process."""

    root: Path
    master: FakeMaster
    pid: int = 0

    @property
    def daemon(self) -> Path:
        return self.root / "etc/docker/daemon.json"

    def join(self) -> None:
        places = Places(self.root / "etc/saltern", self.root / "lib", self.root / "run")
        NodeKeys.make(places.config, secrets.token_bytes)
        where = Master(
            addresses=("127.0.0.1",), link_port=self.master.port, server=self.master.public
        )
        keep_master(places, where)

    def status(self) -> dict[str, dict[str, object]]:
        words = command(self.root, "status", "--output", "json")
        done = subprocess.run(words, capture_output=True, text=True, timeout=50)
        assert done.stdout, done.stderr
        status: dict[str, dict[str, object]] = json.loads(done.stdout)
        return status

    @contextmanager
    def running(self) -> Iterator[None]:
        with subprocess.Popen(command(self.root, "run"), stderr=subprocess.PIPE) as agent:
            self.pid = agent.pid
            try:
                yield
            finally:
                agent.send_signal(signal.SIGTERM)
                _, said = agent.communicate(timeout=50)
        assert agent.returncode == 0, said.decode()


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    master = FakeMaster()
    yield master
    master.close()


@pytest.fixture
def node(tmp_path: Path, master: FakeMaster) -> Joined:
    joined = Joined(made(tmp_path), master)
    joined.join()
    return joined


def artifact(master: FakeMaster, content: bytes, name: str = "kubectl") -> Artifact:
    return Artifact(
        path=f"/etc/kubernetes/{name}",
        sha256=master.add(content),
        owner=DAEMON.owner,
        group=DAEMON.group,
    )


def test_a_document_comes_over_the_link_is_applied_and_told(
    node: Joined, master: FakeMaster
) -> None:
    with node.running():
        hello = master.wait(messages.Hello)
        master.publish(body(DAEMON), version=1, turn=5)
        applied = master.wait_item(Applied)

        assert (hello.epoch, hello.version, hello.unacked) == (0, 0, 0)
        assert (applied.turn, applied.outcome, applied.changes) == (5, Outcome.CHANGED, 1)
        assert node.daemon.read_text() == DAEMON.text

        health = master.wait(messages.Health)
        assert health.memory_kib > 0
        assert health.disk_kib > 0
        assert health.tick > 0


def test_health_says_at_once_that_an_apply_is_over(node: Joined, master: FakeMaster) -> None:
    def held(message: messages.Message) -> bool:
        return isinstance(message, messages.Health) and message.version == 1

    with node.running():
        master.wait(messages.Hello)
        master.publish(body(DAEMON), version=1, turn=5)
        health = master.wait(messages.Health, held)

        assert health.state == "converged"


def test_a_turn_with_the_same_document_is_a_look_that_sets_right(
    node: Joined, master: FakeMaster
) -> None:
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(DAEMON, drift=DriftPolicy(mode="report")), version=1, turn=1)
        master.wait_item(Applied)

        master.look(turn=2)
        clean = master.wait(messages.Looked, lambda one: one.turn == 2)
        assert (clean.outcome, clean.changes, clean.version) == (Outcome.CONVERGED, 0, 1)

        node.daemon.write_text("{bad")
        master.wait_item(DriftSeen)
        master.look(turn=3)
        off = master.wait(messages.Looked, lambda one: one.turn == 3)
        assert off.outcome is Outcome.FAILED
        assert [one.resource for one in off.hindrances] == ["r0"]


def test_drift_is_told_as_it_comes_and_as_it_goes(node: Joined, master: FakeMaster) -> None:
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(DAEMON), version=1, turn=1)
        master.wait_item(Applied)
        node.daemon.write_text("{bad")

        seen, ended = master.wait_item(DriftSeen), master.wait_item(DriftEnded)
        assert (seen.resource, seen.kind, seen.number) == ("r0", "file/1", ended.number)
        assert 0 <= seen.recorded_us - seen.since_us < 1_000_000
        assert ended.outcome == "healed"


def test_what_drifted_while_the_master_was_away_is_told_with_its_true_times(
    node: Joined, master: FakeMaster
) -> None:
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(DAEMON), version=1, turn=1)
        master.wait_item(Applied)
        master.silent = True
        master.cut()
        before = time.time_ns() // 1000
        node.daemon.write_text("{bad")
        wait_for_text(node.daemon, DAEMON.text)  # set right although nobody listens
        after = time.time_ns() // 1000
        master.silent = False
        master.cut()

        seen = master.wait_item(DriftSeen)
        assert before <= seen.recorded_us  # `since`: when the look began, before the damage perhaps
        assert seen.since_us <= after


def test_blobs_come_in_parts_and_go_on_where_they_were_cut(
    node: Joined, master: FakeMaster
) -> None:
    (node.root / "etc/kubernetes").mkdir()
    master.parts_until_cut = 12  # of the body and the blob
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(artifact(master, LARGE)), version=1, turn=1)
        applied = master.wait_item(Applied)

    assert applied.outcome is Outcome.CHANGED
    assert (node.root / "etc/kubernetes/kubectl").read_bytes() == LARGE
    asked = [
        one
        for one in master.heard
        if isinstance(one, messages.BlobAsk) and one.blob in master.blobs
    ]
    hellos = [one for one in master.heard if isinstance(one, messages.Hello)]
    assert len(hellos) == 2
    offsets = [one.offset for one in asked if len(master.blobs[one.blob]) > 1_000_000]
    assert 0 in offsets
    assert offsets.count(0) == 1, "what had come was asked for again"


def test_a_proposal_is_planned_and_nothing_of_it_stays(node: Joined, master: FakeMaster) -> None:
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(DAEMON), version=1, turn=1, proposal=True)
        plan = master.wait(messages.Plan)

        assert (plan.turn, plan.last, plan.reason) == (1, True, "")
        (line,) = plan.lines
        assert (line.resource, line.verb, line.finding) == ("r0", "hold", "to change")
        assert line.change.startswith("create /etc/docker/daemon.json")
        assert not node.daemon.exists()
        assert node.status()["status"]["version"] is None


def test_a_document_does_what_was_planned_or_is_refused_as_stale(
    node: Joined, master: FakeMaster
) -> None:
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(DAEMON), version=1, turn=1, proposal=True)
        plan = master.wait(messages.Plan)
        node.daemon.write_text("a stranger's\n")
        master.publish(body(DAEMON), version=1, turn=2, expects=plan.digest)
        refused = master.wait_item(Applied)

        assert (refused.turn, refused.outcome, refused.reason) == (2, Outcome.REFUSED, "stale")
        assert "r0: write /etc/docker/daemon.json" in refused.why
        assert node.daemon.read_text() == "a stranger's\n"
        assert node.status()["status"]["version"] is None

        node.daemon.unlink()
        master.publish(body(DAEMON), version=2, turn=3, expects=plan.digest)
        done = master.wait_item(Applied, number=2)
        assert (done.turn, done.outcome, done.changes) == (3, Outcome.CHANGED, 1)
        assert node.daemon.read_text() == DAEMON.text


def test_a_document_that_policy_forbids_is_refused_before_its_blobs_come(
    node: Joined, master: FakeMaster
) -> None:
    forbidden = replace(artifact(master, LARGE), path="/usr/local/bin/kubectl")
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(forbidden), version=1, turn=4)
        applied = master.wait_item(Applied)

    assert (applied.turn, applied.outcome) == (4, Outcome.REFUSED)
    assert (applied.reason, applied.version) == ("outside-policy", 1)
    wanted = {one.blob.hex() for one in master.heard if isinstance(one, messages.BlobAsk)}
    assert forbidden.sha256 not in wanted


def test_a_blob_that_is_not_what_it_is_called_is_never_used(
    node: Joined, master: FakeMaster
) -> None:
    (node.root / "etc/kubernetes").mkdir()
    wanted = artifact(master, LARGE)
    master.blobs[bytes.fromhex(wanted.sha256)] = LARGE[:-1] + b"!"
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(wanted), version=1, turn=4)
        applied = master.wait_item(Applied)

    assert (applied.outcome, applied.reason) == (Outcome.REFUSED, "blob")
    assert "what came is" in applied.why
    assert not (node.root / "var/lib/saltern/blobs" / wanted.sha256).exists()


def test_status_tells_of_the_link(node: Joined, master: FakeMaster) -> None:
    with node.running():
        master.wait(messages.Health)
        link = node.status()["link"]
        assert link["state"] == "up"
        assert link["master"] == f"127.0.0.1:{master.port}"
        assert isinstance(link["lease_until"], float)

        master.refuses = "revoked"
        master.tell(messages.Again())
        master.wait(messages.Hello, number=2)
        master.tell(messages.Refused(reason="revoked", why="by an operator"))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while (link := node.status()["link"])["state"] != "away":
            assert time.monotonic() < deadline
        assert "revoked" in str(link["why"])


def test_a_master_that_is_not_there_hinders_nothing(node: Joined, master: FakeMaster) -> None:
    port = master.port
    keep_master(
        Places(node.root / "etc/saltern", node.root / "lib", node.root / "run"),
        Master(addresses=("127.0.0.1",), link_port=1, server=bytes(32)),
    )
    with node.running():
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (node.root / "run/saltern/agent.sock").exists():
            assert time.monotonic() < deadline
            os.sched_yield()
        link = node.status()["link"]
        assert link["state"] in ("away", "opening")
    assert port


def wait_for_text(path: Path, text: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while path.read_text() != text:
        assert time.monotonic() < deadline, path.read_text()
        os.sched_yield()
