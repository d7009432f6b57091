"""A process that is some hundreds of nodes: python -m tests.simulation.crowd.

a line of JSON (port, server, members, directory) -> {"in": count} when all have spoken
"fail NAME NAME ..."     the disks of these take nothing more
the end of the input     all end
"""

from __future__ import annotations

import json
import os
import selectors
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import zmq
from saltern_agent.host.link_socket import Credentials
from saltern_agent.link import words

from tests.faults.talk_ether import Ether
from tests.simulation.node import SimNode, close, connect

LONGEST = 0.05  # seconds between two looks at what is due
OLDER = 4096  # sockets that a context gives by itself are 1,023


class Crowd:
    """All nodes of this process, by name."""

    def __init__(self, order: dict[str, Any]) -> None:
        self.ether = Ether()
        self._began = time.monotonic()
        self._context = zmq.Context[zmq.Socket[bytes]]()
        self._context.set(zmq.MAX_SOCKETS, OLDER)
        self._wakes = selectors.EpollSelector()
        self._of: dict[int, SimNode] = {}
        self.nodes = dict(self._made(order))

    def begin(self) -> None:
        """Have all of them set out to connect."""
        for node in self.nodes.values():
            node.hear(words.Tick())

    def turn(self) -> bool:
        """Go on for a moment; False: there is no more input."""
        goes_on = True
        for key, _ in self._wakes.select(self._until_due()):
            if key.data == "input":
                goes_on = self._obey(sys.stdin.readline())
            else:
                self._of[key.fd].receive()
        self.ether.run(self._now())
        for node in self.nodes.values():
            node.receive()  # an edge that a send used up
            if node.session.due() <= self.ether.now:
                node.hear(words.Tick())
        return goes_on

    def listen(self) -> None:
        """Take commands from now on."""
        self._wakes.register(sys.stdin, selectors.EVENT_READ, "input")

    def close(self) -> None:
        """End all."""
        for node in self.nodes.values():
            close(node)
        self._context.destroy(linger=0)

    @property
    def up(self) -> int:
        """How many have a lease."""
        return sum(node.session.state == "up" for node in self.nodes.values())

    def _obey(self, line: str) -> bool:
        word, *names = line.split() or [""]
        if word == "fail":
            for name in names:
                if name in self.nodes:
                    self.nodes[name].break_disk()
        return bool(line)

    def _made(self, order: dict[str, Any]) -> Iterator[tuple[str, SimNode]]:
        server = bytes.fromhex(order["server"])
        for name, public, secret, identity in order["members"]:
            directory = Path(order["directory"]) / name
            directory.mkdir(parents=True)
            (directory / "blobs").mkdir()
            keys = Credentials(server, bytes.fromhex(public), bytes.fromhex(secret))
            dial = partial(self._dial, name, int(order["port"]), keys)
            yield name, SimNode(directory, bytes.fromhex(identity), self.ether, _wall, dial)

    def _dial(self, name: str, port: int, keys: Credentials) -> zmq.Socket[bytes]:
        node = self.nodes[name]
        if node.socket is not None:
            number = int(node.socket.getsockopt(zmq.FD))
            self._wakes.unregister(number)
            del self._of[number]
            node.socket.close(linger=0)
        socket = connect(self._context, port, keys)
        number = int(socket.getsockopt(zmq.FD))
        self._wakes.register(number, selectors.EVENT_READ)
        self._of[number] = node
        return socket

    def _now(self) -> float:
        return time.monotonic() - self._began

    def _until_due(self) -> float:
        soonest = min((node.session.due() for node in self.nodes.values()), default=0.0)
        return max(0.0, min(soonest, self.ether.next_at(), self._now() + LONGEST) - self._now())


def _wall() -> float:
    return time.time()  # noqa: TID251  a simulator's clock


def main() -> int:
    """Be what the first line says, until there is no more input."""
    crowd = Crowd(json.loads(sys.stdin.readline()))
    crowd.begin()
    until = time.monotonic() + 120.0
    while crowd.up < len(crowd.nodes):
        if time.monotonic() > until:
            sys.exit(f"only {crowd.up} of {len(crowd.nodes)} nodes are in")
        crowd.turn()
    print(json.dumps({"in": crowd.up}), flush=True)
    os.set_blocking(sys.stdin.fileno(), True)
    crowd.listen()
    while crowd.turn():
        pass
    crowd.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
