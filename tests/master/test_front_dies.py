"""The front is killed while fifty nodes report: all are back within 20 s, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import zmq
from saltern_master.api.drift_requests import DriftQuery
from saltern_protocol import messages
from saltern_protocol.messages import Ack, Lease, Report
from saltern_protocol.report import DriftSeen

from tests.master.core_stand import now
from tests.master.front_stand import Lines, Node, dial, many_lines
from tests.master.homes import made_home
from tests.master.test_core_process import Joined, hello, joined, running

NODES = 50
BEFORE, BACK = 1.0, 20.0  # seconds
ANSWER = 3.0  # seconds without an answer, after which a node connects anew


@dataclass(slots=True)
class Reporter:
    """A node: it connects as agents do, and says each report until it is acknowledged."""

    joined: Joined
    chance: random.Random
    node: Node | None = None
    at: float = 0.0  # when it connects
    heard_at: float = 0.0
    said_at: float = 0.0
    leases: list[float] = field(default_factory=list)
    seq: int = 1

    def turn(self, lines: Lines) -> None:
        """Go on."""
        at = time.monotonic()
        if self.node is None:
            if at >= self.at:
                token = self.joined.token
                self.node = dial(lines, self.joined.keys, token.server, token.link_port)
                self.node.say(hello(self.joined.incarnation, 0))
                self.heard_at = at
            return
        while self.node.socket.poll(0):
            self.heard_at = at
            message = messages.from_master(self.node.socket.recv())
            if isinstance(message, Lease):
                self.leases.append(at)
                self.said_at = 0.0
            elif isinstance(message, Ack) and message.seq == self.seq:
                self.seq += 1
                self.said_at = at - 0.9
        if at - self.heard_at > ANSWER:
            self.node.close()
            self.node, self.at = None, at + self.chance.random()
        elif self.leases and at - self.said_at >= 1.0:
            self.said_at = at
            with suppress(zmq.Again):  # the connection is gone; it is said again
                self.node.socket.send(messages.encode(report(self.seq)), zmq.NOBLOCK)


def report(seq: int) -> Report:
    at = round(now() * 1e6)
    seen = DriftSeen(
        number=seq,
        resource=f"file-{seq}",
        kind="file/1",
        since_us=at,
        recorded_us=at,
        seen="inotify",
        found=("other content",),
    )
    return Report(first=seq, items=(seen,))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@pytest.mark.timeout(120)
def test_all_are_back_and_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    tmp_path.chmod(0o711)
    home, chance = made_home(tmp_path), random.Random(4)
    names = [f"w{number}" for number in range(1, NODES + 1)]
    with running(home, (free_port(), free_port())) as master, many_lines() as lines:
        nodes = [Reporter(joined(master, lines, name), chance) for name in names]
        spin(nodes, lines, lambda: all(one.leases and one.seq > 2 for one in nodes))
        spin(nodes, lines, lambda: False, BEFORE)
        os.kill(master.front, signal.SIGKILL)
        killed = time.monotonic()
        spin(nodes, lines, lambda: all(one.leases[-1] > killed for one in nodes), BACK + 10)
        back = max(one.leases[-1] for one in nodes) - killed
        reached = [one.seq for one in nodes]
        spin(nodes, lines, lambda: all(n.seq > r for n, r in zip(nodes, reached, strict=True)))
        stored = [
            {view.number for view in master.client.drift(DriftQuery(node=name, most=1000))}
            for name in names
        ]
    print(f"{NODES} nodes were back after {back:.1f} s")
    assert all(one.leases[-1] > killed for one in nodes)
    assert back <= BACK
    for one, numbers in zip(nodes, stored, strict=True):
        assert set(range(1, one.seq)) <= numbers <= set(range(1, one.seq + 1))


def spin(
    nodes: list[Reporter], lines: Lines, true: Callable[[], bool], seconds: float = 40.0
) -> None:
    """Let all nodes go on until something is true, or so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and not true():
        for one in nodes:
            one.turn(lines)
        time.sleep(0.01)
