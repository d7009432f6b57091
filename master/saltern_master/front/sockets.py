"""The two ROUTER sockets, closed to strangers, and how one message goes in or out.

* zap_domain and ZAP_ENFORCE_DOMAIN are both set, before bind: of the eight ways to set them, with
  and without a handler, four let a stranger in (tests/master/test_front_gate.py has the table).
* A peer is the ZAP User-Id of the frame, which is its CURVE key; never its routing id.
* MAXMSGSIZE bounds a frame before it is read; a message of endless parts is guard.py's to end.
* MANDATORY and NOBLOCK: what cannot be sent is told, and not lost or waited for.
* The kernel's sockets are ours: made before the front is kept in (confine.py). libzmq is given a
  descriptor of its own of the one that it takes connections from.
* No RCVHWM, and no HEARTBEAT_IVL: where a connection's input waits for us, and the connection fails
  meanwhile, libzmq 4.3.5 ends the process by an assertion as soon as it has to write there
  (stream_engine_base.cpp, out_event): by its own heartbeat's timer, or to answer a PING that the
  peer sent. A stranger needs 12 KB for that. So no input ever waits; whoever speaks faster than we
  read is cutoff.py's to end, and who fills our memory guard.py's.
* A link that leads nowhere is found by what is asked over it (peer.py) and by TCP, within 65 s.
* A peer may claim any routing id. Where it claims the next that libzmq 4.3.5 gives, that is an
  assertion as well (socket_base.cpp, add_out_pipe). They are given in a row, which begins at C's
  rand(), and libzmq never seeds that. We do, or every row of every front began at one number.
* HWM is set before bind and never again: 4.3.5 may crash otherwise (libzmq #4647).
"""

from __future__ import annotations

import ctypes
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
"""Messages queued to one peer: 2 MiB of blobs at the most."""
NO_BOUND: Final = 0


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
    descriptor: int = -1  # of the connection that it came over, which may be gone; -1: not known


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

    A handshake costs half a millisecond, and the door is open to all. Routing ids begin anywhere.
    """
    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4), "big"))
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
    address, number = _property(frame, "Peer-Address"), _property(frame, "__fd")
    return Letter(route, _property_key(frame), address, data, int(number or -1))


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


def stands(router: Router, route: bytes) -> bool:
    """Say whether the connection of this routing id still stands; an empty message tells that.

    What it brought may be read long after it ended, when its descriptor is another's.
    """
    router.getsockopt(zmq.EVENTS)  # libzmq takes what its threads told, of ended connections too
    return send(router, route, b"") is not Sent.GONE


def _close_to_strangers(router: Router, secret: bytes, domain: bytes) -> None:
    router.setsockopt(zmq.CURVE_SERVER, 1)
    router.setsockopt(zmq.CURVE_SECRETKEY, secret)
    router.setsockopt(zmq.ZAP_DOMAIN, domain)
    router.setsockopt(zmq.ZAP_ENFORCE_DOMAIN, 1)


def _bound(router: Router) -> None:
    options = {
        zmq.MAXMSGSIZE: MAX_ON_WIRE,
        zmq.HANDSHAKE_IVL: HANDSHAKE_MS,
        zmq.RCVHWM: NO_BOUND,
        zmq.SNDHWM: HIGH_WATER,
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: 20,
        zmq.TCP_KEEPALIVE_INTVL: 10,
        zmq.TCP_KEEPALIVE_CNT: 3,
        zmq.TCP_MAXRT: 40_000,
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
