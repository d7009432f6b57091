"""The two ROUTER sockets, closed to strangers, and how one message goes in or out.

* zap_domain and ZAP_ENFORCE_DOMAIN are both set, before bind: of the eight ways to set them, with
  and without a handler, four let a stranger in (tests/master/test_front_gate.py has the table).
* A peer is the ZAP User-Id of the frame, which is its CURVE key; never its routing id.
* MAXMSGSIZE bounds a frame before it is read; HWM bounds whole messages only, so a message of
  endless parts is guard.py's to end.
* MANDATORY and NOBLOCK: what cannot be sent is told, and not lost or waited for.
* The kernel's sockets are ours: made before the front is kept in (confine.py). libzmq is given a
  descriptor of its own of the one that it takes connections from.
* No HEARTBEAT_IVL: its timer writes to a connection whose input waits for us and which failed
  meanwhile, and libzmq ends the process by an assertion (stream_engine_base.cpp, out_event). So
  whoever says too much and goes away would end the front. Nodes' own heartbeats, and TCP's, find
  links that lead nowhere, within 65 s.
* HWM is set before bind and never again: 4.3.5 may crash otherwise (libzmq #4647).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from enum import Enum, unique
from typing import Final

import zmq
from saltern_protocol.messages import MAX_ON_WIRE

from saltern_master.errors import MasterError
from saltern_master.front import gate

_THREADS: Final = {gate.LINK: 0b01, gate.DOOR: 0b10}
HANDSHAKE_MS: Final = 5_000
HIGH_WATER: Final = 16
HIGH_WATER_IN: Final = 4
"""Messages queued to one peer (2 MiB of blobs at the most) and from one (1 MiB). A peer that says
more waits: a hundred hostile ones hold 100 MiB of ours."""


class ListenError(MasterError):
    """A port cannot be had."""


@unique
class Sent(Enum):
    """What became of a message."""

    SENT = "sent"
    FULL = "full"  # the peer does not read; try again
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message as it came. `key` is empty where libzmq could not say whose it is."""

    route: bytes
    key: bytes
    address: str
    data: bytes | None  # None: not one frame


@dataclass(frozen=True, slots=True)
class Listener:
    """Two sockets of one port (SO_REUSEPORT): usher.py says who comes to which."""

    entrance: socket.socket  # libzmq takes connections from here
    room: socket.socket  # nobody does from here: the kernel lets one wait, and drops others' SYNs

    @property
    def port(self) -> int:
        """The port that it really has."""
        return int(self.entrance.getsockname()[1])

    def close(self) -> None:
        """Close both."""
        self.entrance.close()
        self.room.close()


Context = zmq.Context[zmq.Socket[bytes]]
Router = zmq.Socket[bytes]


def bind(address: str, port: int, backlog: int) -> Listener:
    """Give a listener; port 0: any. ListenError names what stood against it."""
    entrance, room = socket.socket(), socket.socket()
    try:
        for one, where in ((entrance, port), (room, 0)):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setblocking(False)
            if one is room:  # only now: so another master's port is seen to be taken
                where = entrance.getsockname()[1]
                entrance.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                room.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind((address, where))
        entrance.listen(backlog)  # first: the program counts them in this order
        room.listen(0)
    except OSError as error:
        entrance.close()
        room.close()
        what = f"cannot listen on {address} port {port}: {error.strerror}"
        raise ListenError(f"{what}; is another master running, is the address ours?") from error
    return Listener(entrance, room)


def new_context() -> Context:
    """Give a context with a thread for each socket, so that no stranger's handshake delays a node.

    A handshake costs half a millisecond, and the door is open to all.
    """
    context: Context = zmq.Context()
    context.set(zmq.IO_THREADS, len(_THREADS))
    return context


def listen(context: Context, secret: bytes, domain: bytes, listener: Listener) -> Router:
    """Give a socket that takes what comes to the entrance; the listener stays the caller's."""
    router = context.socket(zmq.ROUTER)
    router.setsockopt(zmq.AFFINITY, _THREADS.get(domain, 1))
    _close_to_strangers(router, secret, domain)
    _bound(router)
    address, port = listener.entrance.getsockname()
    router.setsockopt(zmq.USE_FD, os.dup(listener.entrance.fileno()))
    router.bind(f"tcp://{address}:{port}")
    return router


def port_of(router: Router) -> int:
    """Give the port that a socket really has."""
    return int(router.getsockopt_string(zmq.LAST_ENDPOINT).rpartition(":")[2])


def receive(router: Router) -> Letter | None:
    """Take one message; None: there is none."""
    try:
        route = router.recv(zmq.NOBLOCK)
        if not router.getsockopt(zmq.RCVMORE):
            return Letter(route, b"", "", None)
        frame = router.recv(zmq.NOBLOCK, copy=False)
    except zmq.Again:
        return None
    whole = not frame.more
    last = frame
    while last.more:  # one by one: a list of them could be a list of millions
        last = router.recv(zmq.NOBLOCK, copy=False)
    data = frame.bytes if whole else None
    return Letter(route, _property_key(frame), _property(frame, "Peer-Address"), data)


def send(router: Router, route: bytes, data: bytes) -> Sent:
    """Give a message to libzmq, if the peer is there and takes more."""
    try:
        router.send_multipart([route, data], zmq.NOBLOCK)
    except zmq.Again:
        return Sent.FULL
    except zmq.ZMQError as error:
        if error.errno != zmq.EHOSTUNREACH:
            raise
        return Sent.GONE
    return Sent.SENT


def _close_to_strangers(router: Router, secret: bytes, domain: bytes) -> None:
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, secret)
    router.setsockopt(zmq.ZAP_DOMAIN, domain)
    router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def _bound(router: Router) -> None:
    options = {
        zmq.MAXMSGSIZE: MAX_ON_WIRE,
        zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
        zmq.RCVHWM: HIGH_WATER_IN,
        zmq.SNDHWM: HIGH_WATER,
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: 20,
        zmq.TCP_KEEPALIVE_INTVL: 10,
        zmq.TCP_KEEPALIVE_CNT: 3,
        zmq.TCP_MAXRT: 45_000,
        zmq.ROUTER_MANDATORY: 1,
        zmq.ROUTER_HANDOVER: 0,
        zmq.LINGER: 0,
    }
    for option, value in options.items():
        router.setsockopt(option, value)


def _property_key(frame: zmq.Frame) -> bytes:
    text = _property(frame, "User-Id")
    return bytes.fromhex(text) if len(text) == 64 else b""


def _property(frame: zmq.Frame, name: str) -> str:
    try:
        return str(frame.get(name))
    except zmq.ZMQError:  # it has none
        return ""
