"""What no event tells of, set right and broken again before it was read: it is looked at again."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from saltern_agent.noticing import Notices, watched
from saltern_agent.sources import READ_EVERY
from saltern_agent.unheard import AGAIN
from saltern_states.body import DriftPolicy
from saltern_states.contract import WatchReading
from saltern_states.sysctl import Sysctl

from tests.agent.test_keeper import DAEMON, Node, edit, hold

KEY = "net.ipv4.tcp_syncookies"
SPEC = Sysctl(key=KEY, value="1", persist=False)
READING = WatchReading(Path("/proc/sys/net/ipv4/tcp_syncookies"))
ALWAYS = DriftPolicy(times=1000, minutes=10)
GOAL = 2.0  # seconds, where no event tells


@dataclass
class Fought:
    """A node, its reading each second, and who sets the value to 0 after each repair."""

    node: Node
    after: list[float]  # of the repair before it, each damage; seconds
    phase: float  # of the readings
    notices: Notices = field(default_factory=Notices)
    healed: list[float] = field(default_factory=list)  # how long after its damage, each

    def run(self) -> None:
        """Turn the clock from one thing that is due to the next, until each damage is healed."""
        node = self.node
        self.notices.follow(watched(node.keeper.body), node.now)
        assert READING in self.notices.watched.watches
        read, reads_at = self.value, node.now + self.phase
        broken, breaks_at = 0.0, node.now + self.after[0]
        end = node.now + len(self.after) * 60.0
        while len(self.healed) < len(self.after):
            assert node.now < end
            rested = self.notices.rested(node.now)
            wait = min(self.notices.wait(node.now), rested)
            node.now = max(node.now + 1e-6, min(breaks_at, reads_at, node.now + wait))
            if node.now >= breaks_at:
                broken, breaks_at = node.now, math.inf
                node.host.sysctls.values[KEY] = "0"
            if node.now >= reads_at:
                reads_at += READ_EVERY
                before, read = read, self.value
                if read != before:
                    self.notices.touch((READING,), "event", node.now)
            if self.looked():
                self.healed.append(node.now - broken)
                following = self.after[len(self.healed) :]
                breaks_at = node.now + following[0] if following else math.inf

    @property
    def value(self) -> str:
        """What the kernel shows."""
        return self.node.host.sysctls.values[KEY]

    def looked(self) -> bool:
        """Look, if something is due; say whether it was set right."""
        node, notices = self.node, self.notices
        notices.tick(node.now, node.now)
        if notices.rested(node.now):
            return False
        whole, notices.full = notices.full, False
        made, noticed = node.keeper.made, notices.take(node.now)
        node.keeper.look(noticed, whole)
        notices.looked(noticed, node.keeper.retries(), node.now)
        return node.keeper.made > made


@given(
    st.lists(st.floats(1e-4, 3.0), min_size=1, max_size=12),
    st.floats(0.001, READ_EVERY),
)
@example([0.001] * 20, 0.5)  # at once, each time
@example([0.9] * 20, 0.5)  # in step with the readings
def test_each_damage_is_healed_in_time_however_it_falls_between_two_readings(
    after: list[float], phase: float
) -> None:
    with TemporaryDirectory() as folder:
        node = Node(Path(folder))
        node.host.sysctls.values[KEY] = "0"
        node.take(hold("one", SPEC, drift=ALWAYS))
        fought = Fought(node, after, phase)

        fought.run()

        assert max(fought.healed) <= GOAL
        assert not node.keeper.ledger.open


@pytest.fixture
def node(tmp_path: Path) -> Node:
    node = Node(tmp_path)
    node.host.sysctls.values[KEY] = "0"
    return node


def test_what_was_changed_is_looked_at_once_more_and_then_no_more(node: Node) -> None:
    node.take(hold("one", SPEC), hold("file", DAEMON))
    node.look()
    assert node.keeper.retries() == {"one": pytest.approx(AGAIN)}
    node.now += AGAIN
    node.look("one")
    assert node.keeper.retries() == {}


def test_what_events_tell_of_is_not_looked_at_again(node: Node) -> None:
    node.take(hold("file", DAEMON))
    edit(node)
    assert node.look("file")[-1].startswith("healed")
    assert node.keeper.retries() == {}


def test_what_is_no_longer_declared_is_not_looked_at(node: Node) -> None:
    node.take(hold("one", SPEC))
    node.take(hold("file", DAEMON))
    assert node.keeper.retries() == {}
