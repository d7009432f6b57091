"""A real front process, a core of ours on the other end of its socket pair, and nodes."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import zmq
from saltern_master.front.frames import (
    Frame,
    Frames,
    Heard,
    Peers,
    Ready,
    Setup,
    Tell,
    ToCore,
    Up,
    to_bytes,
    to_core,
)
from saltern_protocol import messages
from saltern_protocol.messages import FromDoor, FromMaster, Message
from zmq.utils import z85
from zmq.utils.monitor import recv_monitor_message

from tests.protocol.examples import FROM_NODE

SECONDS = 20.0
F = TypeVar("F")
M = TypeVar("M")
HELLO = next(one for one in FROM_NODE.values() if isinstance(one, messages.Hello))
HEALTH = next(one for one in FROM_NODE.values() if isinstance(one, messages.Health))
REPORT = next(one for one in FROM_NODE.values() if isinstance(one, messages.Report))


@dataclass(frozen=True, slots=True)
class Keys:
    """A CURVE key pair; raw."""

    public: bytes
    secret: bytes


def new_keys() -> Keys:
    public, secret = zmq.curve_keypair()
    return Keys(z85.decode(public), z85.decode(secret))


A, B = new_keys(), new_keys()
"""Of two peers that the front of a test lets in."""


@dataclass(slots=True)
class Core:
    """The master's end."""

    pair: socket.socket
    process: subprocess.Popen[bytes]
    master: Keys
    link_port: int = 0
    door_port: int = 0
    _frames: Frames = field(default_factory=Frames)
    _came: list[ToCore] = field(default_factory=list)

    def say(self, *frames: Frame) -> None:
        self.pair.sendall(b"".join(map(to_bytes, frames)))

    def wait(self, kind: type[F], key: bytes | None = None, seconds: float = SECONDS) -> F:
        """Give the next frame of a kind (and of a peer), and leave the others where they are."""
        until = time.monotonic() + seconds
        while True:
            for at, frame in enumerate(self._came):
                if isinstance(frame, kind) and key in (None, getattr(frame, "key", None)):
                    del self._came[at]
                    return frame
            assert self.read(until - time.monotonic()), f"no {kind.__name__}: {self._came[:5]}"

    def heard(self, node: Node, kind: type[M], seconds: float = SECONDS) -> M:
        """Give the next thing that a node said; it has to be of this kind."""
        message = messages.from_node(self.wait(Heard, node.keys.public, seconds).data)
        assert isinstance(message, kind), message
        return message

    def heard_nothing(self, key: bytes) -> bool:
        """Say whether nothing of a peer came so far."""
        while self.read(0):
            pass
        return not any(isinstance(frame, Heard) and frame.key == key for frame in self._came)

    def read(self, seconds: float) -> bool:
        """Read what comes within so many seconds; False: nothing did, or the front is gone."""
        if not select.select([self.pair], [], [], max(0.0, seconds))[0]:
            return False
        data = self.pair.recv(1 << 20)
        self._came += map(to_core, self._frames.feed(data))
        return bool(data)

    def node(self, lines: Lines, keys: Keys | None = None) -> Node:
        """Give a node that connects to the link."""
        return dial(lines, keys or new_keys(), self.master.public, self.link_port)


@dataclass(slots=True)
class Node:
    """One connection with a key."""

    keys: Keys
    socket: zmq.Socket[bytes]
    monitor: zmq.Socket[bytes]

    def say(self, *said: Message) -> None:
        for message in said:
            self.socket.send(messages.encode(message))

    def hear(self, seconds: float = SECONDS) -> FromMaster:
        return messages.from_master(self.hear_bytes(seconds))

    def hear_door(self) -> FromDoor:
        return messages.from_door(self.hear_bytes(SECONDS))

    def hear_bytes(self, seconds: float) -> bytes:
        assert self.socket.poll(int(seconds * 1000)), "nothing came"
        return self.socket.recv()

    def event(self, seconds: float = SECONDS) -> int:
        """Give how the handshake ended, or that the connection did."""
        assert self.monitor.poll(int(seconds * 1000)), "no event"
        return int(recv_monitor_message(self.monitor)["event"])

    def event_now(self) -> int:
        """Give what happened, if anything did; else 0."""
        return self.event() if self.monitor.poll(0) else 0

    def close(self) -> None:
        if not self.socket.closed:
            self.socket.disable_monitor()
            self.monitor.close(linger=0)
            self.socket.close(linger=0)


@dataclass(frozen=True, slots=True)
class Lines:
    """The connections of a test, so that all are closed after it."""

    context: zmq.Context[zmq.Socket[bytes]]
    nodes: list[Node]


def curve_client(
    context: zmq.Context[zmq.Socket[bytes]], keys: Keys, master: bytes
) -> zmq.Socket[bytes]:
    """Give a socket that will speak to the master with these keys, on one connection only."""
    one = context.socket(zmq.DEALER)
    one.setsockopt(zmq.CURVE_SECRETKEY, keys.secret)
    one.setsockopt(zmq.CURVE_PUBLICKEY, keys.public)
    one.setsockopt(zmq.CURVE_SERVERKEY, master)
    one.setsockopt(zmq.RECONNECT_IVL, -1)
    one.setsockopt(zmq.LINGER, 0)
    return one


def dial(
    lines: Lines,
    keys: Keys,
    master: bytes,
    port: int,
    route: bytes = b"",
) -> Node:
    """Connect with a key, and a routing id of one's own choice if given."""
    one = curve_client(lines.context, keys, master)
    one.setsockopt(zmq.RCVHWM, 16)
    one.setsockopt(zmq.SNDTIMEO, int(SECONDS * 1000))  # its connection may be gone for good
    if route:
        one.setsockopt(zmq.ROUTING_ID, route)
    monitor = one.get_monitor_socket(
        zmq.EVENT_HANDSHAKE_SUCCEEDED
        | zmq.EVENT_HANDSHAKE_FAILED_AUTH
        | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        | zmq.EVENT_DISCONNECTED
    )
    one.connect(f"tcp://127.0.0.1:{port}")
    node = Node(keys, one, monitor)
    lines.nodes.append(node)
    return node


def greeted(core: Core, node: Node) -> Node:
    """Say Hello, and see it arrive."""
    node.say(HELLO)
    core.wait(Up, node.keys.public)
    core.heard(node, messages.Hello)
    return node


def round_trip(core: Core, node: Node) -> float:
    """Fetch and Poke through the front and back; seconds."""
    began = time.monotonic()
    node.say(messages.Fetch())
    core.heard(node, messages.Fetch)
    core.say(Tell(key=node.keys.public, data=messages.encode(messages.Poke())))
    assert node.hear() == messages.Poke()
    return time.monotonic() - began


def memory(core: Core) -> int:
    """Bytes that the front has resident."""
    statm = Path(f"/proc/{core.process.pid}/statm").read_text()
    return int(statm.split()[1]) * os.sysconf("SC_PAGESIZE")


@contextmanager
def many_lines() -> Iterator[Lines]:
    """Give lines that are closed in the end."""
    lines = Lines(zmq.Context(), [])
    lines.context.set(zmq.MAX_SOCKETS, 2048)
    try:
        yield lines
    finally:
        for node in lines.nodes:
            node.close()
        lines.context.term()


def start(setup: Setup, master: Keys, keys: tuple[bytes, ...]) -> Core:
    """Start a front; give its core, when it is ready."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "saltern_master.front", str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            stderr=subprocess.PIPE,
        )
    core = Core(ours, process, master)
    core.say(setup, Peers(keys=keys))
    try:
        ready = core.wait(Ready)
    except AssertionError as error:
        raise AssertionError(f"{error}; it said: {end(core)}") from error
    core.link_port, core.door_port = ready.link_port, ready.door_port
    return core


def end(core: Core) -> str:
    """Close core's end; give what the front said on standard error."""
    core.pair.close()
    _, said = core.process.communicate(timeout=SECONDS)
    return said.decode()


@contextmanager
def fronts(blobs: Path, *keys: bytes) -> Iterator[Core]:
    """Give the core of a front that lets these keys in, on any ports of loopback."""
    master = new_keys()
    core = start(setup_of(blobs, master), master, keys)
    try:
        yield core
    finally:
        if core.process.poll() is None:
            end(core)
        core.pair.close()
        assert core.process.stderr is not None
        core.process.stderr.close()


def setup_of(blobs: Path, master: Keys) -> Setup:
    return Setup(bind="127.0.0.1", link_port=0, door_port=0, blobs=str(blobs), secret=master.secret)
