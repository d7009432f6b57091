"""A hold comes by a lease, outlives the agent, and ends with a lease without one: for real."""

from __future__ import annotations

import time
from collections.abc import Callable

from saltern_protocol import messages
from saltern_protocol.lease import Hold
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Nature

from tests.agent.fake_master import DEADLINE_SECONDS, FakeMaster
from tests.agent.test_link import Joined, body
from tests.agent.test_link import master as master  # a fixture
from tests.agent.test_link import node as node  # a fixture
from tests.agent.test_root import DAEMON


def held(node: Joined) -> object:
    return node.status()["status"].get("hold")


def hellos(master: FakeMaster) -> int:
    return sum(isinstance(one, messages.Hello) for one in list(master.heard))


def wait_for(there: Callable[[], object]) -> object:
    """Ask again and again until there is something; the test fails where that does not come."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (found := there()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert found
    return found


def test_a_node_is_held_by_a_lease_and_let_go_of_by_the_next(
    node: Joined, master: FakeMaster
) -> None:
    with node.running():
        master.wait(messages.Hello)
        master.publish(body(DAEMON), version=1, turn=5)
        master.wait_item(Applied)
        master.hold = Hold(left=3600, why="a new switch", by="ann")
        master.tell(messages.Renew())
        wait_for(lambda: held(node))

        node.daemon.write_text("{bad")
        seen = master.wait_item(DriftSeen)
        assert (seen.nature, seen.seen) == (Nature.INTENDED, "event")
        assert seen.hindrance.endswith("UTC by ann: a new switch")
        assert "+" in seen.detail
        assert node.daemon.read_text() == "{bad"

    master.silent = True  # what is known of it now is the journal's
    before = hellos(master)
    with node.running():
        wait_for(lambda: hellos(master) > before)  # from here on it can be asked
        assert wait_for(lambda: held(node))
        assert node.daemon.read_text() == "{bad"

    master.hold, master.silent = None, False
    with node.running():
        ended = master.wait_item(DriftEnded)
        assert (ended.number, ended.outcome) == (seen.number, "healed")
        assert node.daemon.read_text() == DAEMON.text
        assert held(node) is None
