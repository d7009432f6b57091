"""A master's side of a conversation: the front's link and core's desk, in one thread.

Between the two go frames as bytes, as over their socket pair; the store is SQLite.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import zmq
from saltern_master.core.desk import Desk, Welcome
from saltern_master.core.follow import Followers
from saltern_master.core.front import Line
from saltern_master.core.known import Known
from saltern_master.core.members import Members
from saltern_master.core.peer import Peer
from saltern_master.core.prepare import Preparing
from saltern_master.core.rolling import Rolling
from saltern_master.core.rollout import NewDocument, next_version
from saltern_master.core.turns import Turn
from saltern_master.front.frames import (
    Admit,
    Expel,
    Frame,
    Frames,
    Grant,
    Peers,
    Tell,
    to_bytes,
    to_core,
    to_front,
)
from saltern_master.front.link import Counts, Link
from saltern_master.front.log import Log
from saltern_master.front.sockets import Letter
from saltern_master.library import Library
from saltern_master.pki.authorities import Authorities, authorities
from saltern_master.records.codec import put
from saltern_master.records.nodes import Node, node_key
from saltern_master.signing.home import Home
from saltern_master.store import SqliteStore, Write
from saltern_protocol import messages
from saltern_protocol.messages import MAX_PART, BlobPart
from saltern_states.body import Body, DriftPolicy, Resource, write_body
from saltern_states.file import File

from tests.faults.talk_ether import Ether, Wall
from tests.master.homes import made_home

NOW: Final = 1_800_000_000.0
KEY: Final = bytes(range(32))
INCARNATION: Final = "ab" * 16
DAEMON: Final = "/etc/docker/daemon.json"
SWEEP: Final = 1.0


@dataclass(frozen=True)
class Stage:
    """What many conversations have in common: a master's home, and its authorities, once read."""

    home: Home
    authorities: Authorities

    @classmethod
    def make(cls, directory: Path) -> Stage:
        home = made_home(directory)
        return cls(home, authorities(home, int(NOW)))


@dataclass(frozen=True)
class Clerk:
    """What core's office is to its desk, as far as a node that has joined comes to it."""

    members: Members

    def welcome(self, key: bytes, enrol: messages.Enrol, now: float) -> Welcome:
        raise AssertionError("nobody joins here")

    def certify(
        self, peer: Peer, csr: messages.Csr, now: float
    ) -> tuple[messages.Cert, tuple[Write, ...]]:
        return self.members.certify(peer, csr, now)

    def joined(self, name: str) -> tuple[Frame, ...]:
        return ()

    def locked(self, name: str) -> None:
        raise AssertionError(f"{name} was locked: there is one machine with its key")

    def works(self, name: str) -> None:
        raise AssertionError(f"{name} is asked for no plan")

    def planned(self, name: str, page: messages.Plan | messages.Reading) -> None:
        raise AssertionError(f"{name} is asked for no plan")

    def moved(self, turn: Turn, nodes: Iterable[str]) -> None:
        """Nobody leaves here."""


class Master:
    """The front's link and core, in one thread; `send` carries to a connection of the node."""

    def __init__(
        self,
        stage: Stage,
        path: Path,
        ether: Ether,
        wall: Wall,
        send: Callable[[bytes, bytes], bool],
    ) -> None:
        self.ether, self.wall, self._send = ether, wall, send
        self.blobs: dict[bytes, bytes] = {}
        self.store = SqliteStore(path)
        node = Node(
            name="w1", node_class="worker", state="joined", incarnation=INCARNATION,
            key=KEY.hex(), sealing=KEY.hex(), facts={}, kinds=(), release="",
        )  # fmt: skip
        self.store.commit(put(node_key("w1"), node))
        self.said = io.StringIO()
        self.known, self.line = Known(), Line()
        members = Members(self.store, Library(stage.home.path), stage.authorities, bytes)
        self.desk = Desk(
            self.store, self.known, self.line, Followers(), Clerk(members),
            lambda: self.rolling.signer, self.wall, self._log,
        )  # fmt: skip
        preparing = Preparing(stage.home, stage.authorities, bytes)
        self.rolling = Rolling(stage.home, self.store, self.known, self.desk, preparing, self.wall)
        self.known.load(self.store, self.wall())
        self._up: list[bytes] = []
        self._down, self._cut_up, self._cut_down = bytearray(), Frames(), Frames()
        log = Log(self.said, lambda: self.ether.now)
        self.link = Link(self, self._part, self._upward, Counts(), log)  # type: ignore[arg-type]
        self.line._writer = self  # type: ignore[assignment]  # its end of the socket pair
        self._swept = 0.0
        self.line.send([Peers(keys=(KEY,))])
        self.settle()

    def _log(self, line: str) -> None:
        print(line, file=self.said)

    def hear(self, route: bytes, data: bytes) -> None:
        """A message of the node's came."""
        self.link.hear(Letter(route, KEY, "127.0.0.1", data), self.ether.now)

    def due(self) -> float:
        """Say when the front has something to do by itself."""
        at = self.link.next_at()
        return math.inf if at is None else at

    def settle(self) -> None:
        """Let front and core say to each other what there is to say."""
        now = self.ether.now
        if now - self._swept >= SWEEP:
            self._swept = now
            self.link.sweep(now, -math.inf)  # it never stood still
        while self._up or self._down or self.due() <= now:
            up, self._up = self._up, []
            if up:
                self.desk.heard([to_core(one) for one in self._cut_up.feed(b"".join(up))])
            down, self._down = bytes(self._down), bytearray()
            for one in self._cut_down.feed(down):
                self._obey(to_front(one))
            self.link.deliver(now)

    def publish(self, text: str, drift: DriftPolicy) -> None:
        """Give the node a new document, in a turn of its own."""
        rolling, peer = self.rolling, self.known.peers["w1"]
        body = write_body(
            Body((Resource(id="daemon", spec=File(path=DAEMON, text=text), drift=drift),))
        )
        version = next_version(peer, rolling.signer.root.epoch)
        signed = rolling._sign([NewDocument(peer, version, body)], rolling.signer)
        self.blobs[bytes.fromhex(signed[0].issued.body)] = body
        turn = rolling._begin({"w1": version})
        rolling._commit(turn, signed, ())
        self.settle()

    # A socket and a writer, as the link and the line want them

    def send_multipart(self, parts: list[bytes], _flags: int) -> None:
        route, data = parts
        if not self._send(route, data):
            raise zmq.ZMQError(zmq.EHOSTUNREACH)

    def write(self, data: bytes) -> None:
        self._down += data

    @property
    def transport(self) -> Master:
        return self

    def get_write_buffer_size(self) -> int:
        return 0

    def _upward(self, frame: Frame) -> None:
        self._up.append(to_bytes(frame))

    def _obey(self, frame: Frame) -> None:
        now = self.ether.now
        match frame:
            case Tell():
                self.link.tell(frame.key, frame.data, now)
            case Grant():
                self.link.grant(frame.key, frozenset(frame.blobs))
            case Peers():
                self.link.allow(frozenset(frame.keys))
            case Admit() | Expel():
                raise AssertionError("nobody comes or goes here")

    def _part(self, blob: bytes, offset: int) -> BlobPart | None:
        data = self.blobs.get(blob)
        if data is None or offset >= len(data):
            return None
        part = data[offset : offset + MAX_PART]
        return BlobPart(blob=blob, offset=offset, size=len(data), data=part)
