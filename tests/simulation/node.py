"""A simulated node: what an agent is made of, over a node in memory and a real connection.

Session, keeper, journal, outbox and plan are the agent's own; only the node that they hold is in
memory, its time is that of a process that is many nodes, and its journal is on a disk of memory.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import zmq
from saltern_agent.applying import KNOWN
from saltern_agent.host.link_socket import Credentials
from saltern_agent.link import words
from saltern_agent.link.pages import no_plan, pages
from saltern_protocol.messages import Proposal
from saltern_states.kinds import KINDS
from saltern_states.ports import HostError
from saltern_states.testing import FakeFiles
from zmq.utils import z85

from tests.faults.talk_ether import Ether
from tests.faults.talk_node import Agent

KIND_NAMES = tuple(kind.name for kind in KINDS)
HANDSHAKE = 60_000  # milliseconds: a thousand come at once


class BrittleFiles(FakeFiles):
    """Files of a disk that takes nothing more, once it `fails`."""

    fails = False

    def write(self, *args: object, **given: object) -> None:
        """Write, or tell that the disk does not."""
        if self.fails:
            raise HostError("cannot write: the disk tells an error")
        super().write(*args, **given)  # type: ignore[arg-type]


class SimNode(Agent):
    """One node. `connect` gives a socket that is on its way to the master."""

    def __init__(
        self,
        directory: Path,
        identity: bytes,
        ether: Ether,
        wall: Callable[[], float],
        connect: Callable[[], zmq.Socket[bytes]],
    ) -> None:
        super().__init__(directory, identity, ether, Random(identity), wall, KIND_NAMES)
        self.host.files.put_directory("/srv")
        self._connect = connect
        self.socket: zmq.Socket[bytes] | None = None
        self.dial = self._open
        self.say = self._to_master

    def break_disk(self) -> None:
        """From now on no file can be written."""
        files = self.host.files
        files.__class__ = BrittleFiles
        files.fails = True  # type: ignore[attr-defined]

    def receive(self) -> None:
        """Take all that came."""
        while self.socket is not None and self.socket.poll(0):
            self.came(self.route, self.socket.recv())

    def _open(self, route: bytes) -> None:
        self.socket = self._connect()
        self.ether.after(0.0, lambda: self.opened(route))  # what is said waits for the handshake

    def _to_master(self, route: bytes, data: bytes) -> None:
        if self.socket is None or route != self.route:
            return
        try:
            self.socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            self.lost(route)

    def _pause(self) -> float:
        """Give no more time to the disk than it takes: it is measured."""
        return 0.0

    def _take(self, offer: words.Offer) -> None:
        if not isinstance(offer, Proposal):
            super()._take(offer)
            return
        try:
            told = pages(offer.turn, self.keeper.consider(self.stock.statement(offer)))
        except (HostError, *KNOWN) as error:
            told = (no_plan(offer.turn, "refused", str(error)),)
        for page in told:
            self.hear(words.Say(page))
        self.hear(words.Over(offer))


def connect(
    context: zmq.Context[zmq.Socket[bytes]], port: int, keys: Credentials
) -> zmq.Socket[bytes]:
    """Give a socket that is on its way to the master on the loopback."""
    link = context.socket(zmq.DEALER)
    link.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(keys.server))
    link.setsockopt(zmq.CURVE_PUBLICKEY, z85.encode(keys.public))
    link.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(keys.secret))
    link.setsockopt(zmq.LINGER, 0)
    link.setsockopt(zmq.SNDHWM, 64)
    link.setsockopt(zmq.HANDSHAKE_IVL, HANDSHAKE)
    link.connect(f"tcp://127.0.0.1:{port}")
    return link


def close(node: SimNode) -> None:
    """Let go of a node."""
    with suppress(zmq.ZMQError):
        if node.socket is not None:
            node.socket.close(linger=0)
    node.close()
