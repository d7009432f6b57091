"""python -m tests.faults.returning FILE: agents' connections, bare: they come again as agents do.

FILE (msgpack) says the port, the master's key, the moment to begin and the agents' keys; one that
is not in the map is a stranger's. Each is a DEALER with CURVE that says Hello, then Health. It is
up when Beat came. One that hears nothing for ANSWER seconds, or whose connection ended, closes it,
waits from 0 to 1, 2, 4 … LONGEST seconds, and makes another, as agent/link/session.py does.

Each second, and in the end, it says a line: how many agents and how many strangers are up.
"""

from __future__ import annotations

import os
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import zmq
from saltern_protocol import messages
from zmq.utils import z85

from tests.master.front_stand import HEALTH, HELLO

ANSWER = 10.0  # seconds; agents give it more, and lose the more by a gate that is silent
LONGEST = 8.0
TURN = 20  # milliseconds
_SAY = (messages.encode(HELLO), messages.encode(HEALTH))


@dataclass(slots=True)
class One:
    """An agent, or a stranger."""

    public: bytes
    secret: bytes
    stranger: bool
    socket: zmq.Socket[bytes] | None = None
    monitor: zmq.Socket[bytes] | None = None
    up: bool = False
    failures: int = 0
    at: float = 0.0  # when it is tried, or given up
    came_in: bool = False  # ever

    def close(self) -> None:
        if self.socket is not None and self.monitor is not None:
            self.socket.disable_monitor()
            self.monitor.close(linger=0)
            self.socket.close(linger=0)
        self.socket = self.monitor = None
        self.up = False

    def fail(self, now: float, chance: random.Random) -> None:
        self.close()
        self.at = now + chance.random() * min(2.0**self.failures, LONGEST)
        self.failures += 1

    def open(self, context: zmq.Context[zmq.Socket[bytes]], master: bytes, port: int) -> None:
        one = self.socket = context.socket(zmq.DEALER)
        one.curve_publickey, one.curve_secretkey = z85.encode(self.public), z85.encode(self.secret)
        one.curve_serverkey = z85.encode(master)
        one.linger, one.reconnect_ivl, one.immediate = 0, -1, 1
        one.sndtimeo = 0
        self.monitor = one.get_monitor_socket(
            zmq.EVENT_HANDSHAKE_SUCCEEDED
            | zmq.EVENT_DISCONNECTED
            | zmq.EVENT_CLOSED
            | zmq.EVENT_HANDSHAKE_FAILED_AUTH
            | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        )
        one.connect(f"tcp://127.0.0.1:{port}")


def main(file: Path) -> None:
    """Come, and come again, until killed."""
    told = msgpack.unpackb(file.read_bytes())
    chance = random.Random(told["seed"])
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 20_000)
    everybody = [One(public, secret, stranger) for public, secret, stranger in told["keys"]]
    for one in everybody:
        one.at = told["begin"] + chance.random() * told["spread"]
    said = 0.0
    while True:
        now = time.monotonic()
        for one in everybody:
            _turn(one, context, told, now, chance)
        if now - said >= 0.25:
            said = now
            agents = sum(one.up for one in everybody if not one.stranger)
            strangers = sum(one.came_in for one in everybody if one.stranger)
            print(now, agents, strangers, flush=True)
        time.sleep(TURN / 1000)


def _turn(
    one: One,
    context: zmq.Context[zmq.Socket[bytes]],
    told: dict[str, Any],
    now: float,
    chance: random.Random,
) -> None:
    if one.socket is None or one.monitor is None:
        if now >= one.at:
            one.open(context, told["master"], told["port"])
            one.at = now + ANSWER
        return
    while one.monitor is not None and one.monitor.poll(0):
        event = int.from_bytes(one.monitor.recv_multipart()[0][:2], sys.byteorder)
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            one.came_in = True
            for message in _SAY:
                one.socket.send(message)
        else:
            one.fail(now, chance)
            return
    if not one.up and one.socket.poll(0):
        one.socket.recv()
        one.up, one.failures = True, 0
    if not one.up and now >= one.at:
        one.fail(now, chance)


if __name__ == "__main__":
    os.nice(19)  # theirs are other machines' processors
    main(Path(sys.argv[1]))
