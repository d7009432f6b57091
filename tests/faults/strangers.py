"""python -m tests.faults.strangers HOW ADDRESS PORT COUNT: keeps so many connections.

    idle    says nothing
    slow    says ZMTP's greeting at a byte each half second
    door    has a key of its own, finishes the handshake, and says nothing

They are strangers, and who is shown out comes again at once. It says `.` when it has begun, and
ends when it is killed.
"""

from __future__ import annotations

import os
import select
import socket
import sys
import time
from contextlib import suppress

import zmq
from zmq.utils import z85

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"CURVE".ljust(20, b"\0") + bytes(32)
"""ZMTP 3.0's, for CURVE, as a client (RFC 23)."""
BYTE_EVERY = 0.5


def idle(address: str, port: int, count: int, *, slow: bool = False) -> None:
    """Keep so many plain connections."""
    polled = select.epoll()
    held: dict[int, socket.socket] = {}
    said: dict[int, int] = {}
    for _ in range(count):
        _begin(polled, held, address, port)
    os.write(1, b".")
    spoke = time.monotonic()
    while True:
        for number, event in polled.poll(0.1):
            if event & (select.EPOLLHUP | select.EPOLLERR) or _ended(held[number]):
                held.pop(number).close()
                said.pop(number, None)
                _begin(polled, held, address, port)
        if slow and time.monotonic() - spoke >= BYTE_EVERY:
            spoke = time.monotonic()
            for number, one in held.items():
                at = said.get(number, 0)
                with suppress(OSError):
                    said[number] = at + one.send(GREETING[at : at + 1])


def _begin(polled: select.epoll, held: dict[int, socket.socket], address: str, port: int) -> None:
    one = socket.socket()
    one.setblocking(False)
    one.bind((address, 0))
    one.connect_ex(("127.0.0.1", port))
    held[one.fileno()] = one
    polled.register(one, select.EPOLLIN)


def _ended(one: socket.socket) -> bool:
    try:
        return one.recv(4096) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def door(address: str, port: int, count: int) -> None:
    """Keep so many connections that finished the handshake. The master's key is given by input."""
    server = z85.encode(sys.stdin.buffer.read(32))
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, count + 10)
    held = []
    for _ in range(count):
        one = context.socket(zmq.DEALER)
        one.curve_publickey, one.curve_secretkey = zmq.curve_keypair()
        one.curve_serverkey = server
        one.linger, one.reconnect_ivl = 0, 100
        one.connect(f"tcp://{address}:0;127.0.0.1:{port}")
        held.append(one)
    os.write(1, b".")
    while True:
        time.sleep(1)


if __name__ == "__main__":
    os.nice(19)  # theirs is another machine's processor
    how, where = sys.argv[1], (sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    if how == "door":
        door(*where)
    else:
        idle(*where, slow=how == "slow")
