"""A node that its master has removed: what frees the machine, and what does not."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saltern_agent.anew import put_aside
from saltern_agent.journal import Journal
from saltern_agent.leaving import NO_NODE
from saltern_agent.places import read_identity, read_master
from saltern_protocol.messages import Hello, Refused
from saltern_protocol.report import Applied

from tests.agent.fake_door import fake_door
from tests.agent.fake_master import FakeMaster
from tests.agent.test_join import Machine
from tests.agent.test_join_anew import NEW, aside, emptied, granting, token_for
from tests.agent.test_link import Joined, body
from tests.agent.test_root import DAEMON, IDENTITY, command, made, wait_until

REMOVED = Refused(reason="removed", why="this node was removed")


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


@contextmanager
def agent_of(node: Joined) -> Iterator[subprocess.Popen[str]]:
    log = node.root / "log"
    with log.open("w") as said:
        agent = subprocess.Popen(command(node.root, "run"), stderr=said, text=True)
    try:
        yield agent
    finally:
        agent.send_signal(signal.SIGTERM)
        agent.wait(50)


def said_by(node: Joined) -> str:
    return (node.root / "log").read_text()


def emptied_over_the_link(node: Joined, master: FakeMaster) -> None:
    master.publish(body(DAEMON), version=1, turn=1)
    master.wait_item(Applied)
    assert node.daemon.exists()
    master.publish(body(), version=2, turn=2)
    assert master.wait_item(Applied, 2).outcome.value == "changed"
    assert not node.daemon.exists()


def without_a_document(_node: Joined, master: FakeMaster) -> None:
    master.wait(Hello)


@pytest.mark.parametrize("before", [emptied_over_the_link, without_a_document])
def test_a_removed_node_on_which_nothing_stands_is_a_node_no_more(
    node: Joined, master: FakeMaster, before: Callable[[Joined, FakeMaster], None]
) -> None:
    places = Machine(node.root).places
    with agent_of(node) as agent:
        before(node, master)
        master.tell(REMOVED)
        assert agent.wait(50) == NO_NODE

    assert not places.identity.exists()
    assert read_master(places) is None
    assert not places.journal.exists()
    assert Journal(aside(places)).owned() == {}
    assert "saltern-agent join TOKEN" in said_by(node)
    with fake_door(granting) as door:
        done = Machine(node.root).join(token_for(door))
    assert done.returncode == 0, done.stderr
    assert read_identity(places) == NEW


def test_a_removed_node_on_which_something_stands_holds_it(
    node: Joined, master: FakeMaster
) -> None:
    places = Machine(node.root).places
    with agent_of(node) as agent:
        master.publish(body(DAEMON), version=1, turn=1)
        master.wait_item(Applied)
        master.tell(REMOVED)
        wait_until(lambda: "1 resources stand here and are held as" in said_by(node))
        node.daemon.write_text("damaged\n")
        wait_until(lambda: node.daemon.read_text() == "{}\n")
        assert agent.poll() is None

    assert agent.returncode == 0
    assert read_identity(places) == IDENTITY
    assert list(Journal(places.journal).owned()) == ["r0"]


def test_a_leaving_that_was_cut_off_hinders_no_join(tmp_path: Path) -> None:
    machine = emptied(tmp_path)
    put_aside(machine.places, IDENTITY)  # and then the machine lost its power
    with fake_door(granting) as door:
        done = machine.join(token_for(door))

    assert done.returncode == 0, done.stderr
    assert read_identity(machine.places) == NEW


def test_revoked_is_not_removed(node: Joined, master: FakeMaster) -> None:
    with agent_of(node):
        master.wait(Hello)
        master.tell(Refused(reason="revoked", why="by an operator"))
        wait_until(lambda: "revoked" in str(node.status()["link"]["why"]))

    assert read_identity(Machine(node.root).places) == IDENTITY


def test_where_there_is_no_node_the_agent_ends_and_is_not_to_be_started_again(
    tmp_path: Path,
) -> None:
    done = subprocess.run(command(tmp_path, "run"), capture_output=True, text=True, timeout=50)

    assert done.returncode == NO_NODE
    assert "there is no" in done.stderr
