"""The two ROUTER sockets, closed to strangers, and how one message goes in or out.

* zap_domain and ZAP_ENFORCE_DOMAIN are both set, before bind: of the eight ways to set them, with
  and without a handler, four let a stranger in (tests/master/test_front_gate.py has the table).
* A peer is the ZAP User-Id of the frame, which is its CURVE key; never its routing id.
* MAXMSGSIZE bounds a frame before it is read; HWM bounds whole messages only, so a message of
  endless parts is guard.py's to end.
* MANDATORY and NOBLOCK: what cannot be sent is told, and not lost or waited for.
* The kernel's socket is ours: made before the front is kept in (confine.py), and given to libzmq as
  a descriptor of its own, so that usher.py can still speak with it.
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

HANDSHAKE_MS: Final = 5_000
HIGH_WATER: Final = 16
"""Messages queued to or from one peer: 4 MiB in, and 2 MiB of blobs out, at the most."""


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


Context = zmq.Context[zmq.Socket[bytes]]
Router = zmq.Socket[bytes]


def bind(address: str, port: int, backlog: int) -> socket.socket:
    """Give a listening socket; port 0: any. ListenError names what stood against it."""
    try:
        listener = socket.create_server((address, port), backlog=backlog)
    except OSError as error:
        what = f"cannot listen on {address} port {port}: {error.strerror}"
        raise ListenError(f"{what}; is another master running, is the address ours?") from error
    listener.setblocking(False)
    return listener


def listen(context: Context, secret: bytes, domain: bytes, listener: socket.socket) -> Router:
    """Give a socket that is bound to the listener, which stays the caller's."""
    router = context.socket(zmq.ROUTER)
    _close_to_strangers(router, secret, domain)
    _bound(router)
    address, port = listener.getsockname()
    router.setsockopt(zmq.USE_FD, os.dup(listener.fileno()))
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
        zmq.RCVHWM: HIGH_WATER,
        zmq.SNDHWM: HIGH_WATER,
        zmq.HEARTBEAT_IVL: 15_000,
        zmq.HEARTBEAT_TIMEOUT: 45_000,
        zmq.HEARTBEAT_TTL: 60_000,
        zmq.TCP_KEEPALIVE: 1,
        zmq.TCP_KEEPALIVE_IDLE: 60,
        zmq.TCP_KEEPALIVE_INTVL: 15,
        zmq.TCP_KEEPALIVE_CNT: 4,
        zmq.TCP_MAXRT: 60_000,
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
