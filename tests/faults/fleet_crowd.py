"""A process that is many nodes: python -m tests.faults.fleet_crowd, told what to be by its input.

    a line of JSON (members, manner, pause) -> they say Hello -> {"in": count}
    a line with seconds -> they behave in their manner -> {"acks": [seconds ...], ...}

honest: a report, then its Ack, then a pause; Health every 15 seconds, Hello when it is asked Again.
hostile, each by its number: the largest reports that may be said, one after the other's Ack; the
deepest and widest that no decoder takes; health as fast as it goes; reports without waiting.
slow: asks for more than its line carries. wedged: says how it is once, and hangs with the GIL held.
"""

from __future__ import annotations

import ctypes
import json
import random
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgpack
import zmq
from saltern_protocol import messages, wire
from saltern_protocol.errors import MalformedError
from saltern_protocol.messages import Ack, Again, Fetch, Health, Hello, Lease, Refused, Report
from saltern_protocol.report import DriftSeen
from zmq.utils import z85

from tests.master.core_stand import FACTS, KIND_NAMES

HEALTH_EVERY = 15.0
AT_ONCE = 16
TURN = 0.02  # seconds


def drift(number: int, found: tuple[str, ...], resource: str = "motd") -> DriftSeen:
    """Give an item that is as large as what was found."""
    at = round(time.time() * 1e6)  # noqa: TID251  a simulator's clock
    return DriftSeen(
        number=number,
        resource=resource,
        kind="file/1",
        since_us=at,
        recorded_us=at,
        seen="inotify",
        found=found,
    )


def deepest() -> bytes:
    """Give what is nested as deep as a message is long."""
    return b"\x91" * (messages.MAX_MESSAGE - 1) + b"\x01"


def widest() -> bytes:
    """Give a message that is all small maps."""
    return bytes(msgpack.packb({"t": 13, "first": 1, "items": [{}] * 200_000}))


@dataclass(slots=True)
class Sim:
    """One node."""

    number: int
    incarnation: str
    socket: zmq.Socket[bytes]
    seq: int = 0
    said_at: float = 0.0  # 0: nothing waits for its Ack
    next_at: float = 0.0
    health_at: float = 0.0
    greeted: bool = False
    refused: int = 0
    said: int = 0
    acks: list[float] = field(default_factory=list)

    def say(self, data: bytes) -> bool:
        """Send; False where the master takes no more now."""
        try:
            self.socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            return False
        self.said += 1
        return True

    def hello(self) -> None:
        """Begin a conversation."""
        self.say(
            messages.encode(
                Hello(
                    protocol=messages.PROTOCOL,
                    incarnation=self.incarnation,
                    instance=self.number.to_bytes(16, "big"),
                    boot="b",
                    root=1,
                    epoch=0,
                    version=0,
                    document=b"",
                    nonce=bytes(16),
                    unacked=0,
                    kinds=KIND_NAMES,
                    release="1",
                    facts=FACTS,
                )
            )
        )

    def report(self, items: tuple[DriftSeen, ...], now: float) -> None:
        """Say a report, and begin to wait for its Ack."""
        if self.say(messages.encode(Report(first=self.seq + 1, items=items))):
            self.seq += len(items)
            self.said_at = now

    def health(self, tick: int) -> None:
        """Say how it is."""
        self.say(
            messages.encode(
                Health(
                    tick=tick,
                    at_us=1,
                    state="converged",
                    version=0,
                    drift=0,
                    load_percent=1,
                    memory_kib=1,
                    disk_kib=1,
                )
            )
        )

    def hear(self, now: float) -> None:
        """Take all that came."""
        while self.socket.poll(0):
            try:
                message = messages.from_master(self.socket.recv())
            except MalformedError:
                continue
            if isinstance(message, Lease):
                self.greeted = True
            elif isinstance(message, Again):
                self.hello()
            elif isinstance(message, Refused):
                self.refused += 1
            elif isinstance(message, Ack) and self.said_at and message.seq >= self.seq:
                self.acks.append(now - self.said_at)
                self.said_at = 0.0


def honest(sim: Sim, now: float, pause: float) -> None:
    """Behave as a node does that drifts often."""
    if now >= sim.health_at:
        sim.health_at = now + HEALTH_EVERY
        sim.health(sim.said)
    if not sim.said_at and now >= sim.next_at:
        sim.next_at = now + pause
        sim.report((drift(sim.seq + 1, ("other content",)),), now)


def largest(sim: Sim, now: float) -> None:
    """Say the largest report that may be said, as soon as the one before was taken."""
    if sim.said_at and now - sim.said_at < HEALTH_EVERY:
        return
    bare = len(wire.pack(drift(2**62, ("",), f"{sim.number}-{messages.MAX_ITEMS}")))
    text = "x" * (messages.MAX_MESSAGE // messages.MAX_ITEMS - bare - 4)
    found = tuple(
        drift(sim.seq + at, (text,), f"{sim.number}-{at}") for at in range(1, messages.MAX_ITEMS)
    )
    sim.report(found, now)


def hostile(sim: Sim, now: float, deep: bytes, wide: bytes) -> None:
    """Behave as badly as this number does."""
    manner = sim.number % 4
    if manner == 0:
        largest(sim, now)
    elif manner == 1:
        for _ in range(AT_ONCE):
            sim.say(random.choice((deep, wide)))
    elif manner == 2:
        for tick in range(AT_ONCE):
            sim.health(tick)
    else:
        for _ in range(AT_ONCE):
            sim.report((drift(sim.seq + 1, ("x" * 4096,) * 60),), now)


def slow(sim: Sim) -> None:
    """Ask for more than it can read."""
    for _ in range(AT_ONCE):
        sim.say(messages.encode(Fetch()))


def wedge(seconds: float) -> None:
    """Hang in a call that lets nothing else of this process run but libzmq's own threads."""
    ctypes.PyDLL(None).sleep(int(seconds))


def greet(sims: list[Sim], poller: zmq.Poller, known: dict[object, Sim], seconds: float) -> None:
    """Have all of them in."""
    for sim in sims:
        sim.hello()
    until = time.monotonic() + seconds
    while not all(sim.greeted for sim in sims):
        if time.monotonic() > until:
            raise SystemExit("some were not greeted")
        hear_all(poller, known)


def hear_all(poller: zmq.Poller, known: dict[object, Sim]) -> None:
    """Take what came to any."""
    for socket, _ in poller.poll(int(TURN * 1000)):
        known[socket].hear(time.monotonic())


def sims_of(order: dict[str, Any], context: zmq.Context[zmq.Socket[bytes]]) -> Iterable[Sim]:
    """Connect each member."""
    server = bytes.fromhex(str(order["server"]))
    for number, (public, secret, incarnation) in enumerate(order["members"]):
        link = context.socket(zmq.DEALER)
        link.setsockopt(zmq.CURVE_SERVERKEY, z85.encode(server))
        link.setsockopt(zmq.CURVE_PUBLICKEY, z85.encode(bytes.fromhex(public)))
        link.setsockopt(zmq.CURVE_SECRETKEY, z85.encode(bytes.fromhex(secret)))
        link.setsockopt(zmq.LINGER, 0)
        link.setsockopt(zmq.SNDHWM, 64)
        link.setsockopt(zmq.HANDSHAKE_IVL, 60_000)
        link.connect(f"tcp://127.0.0.1:{order['port']}")
        yield Sim(number, incarnation, link)


def main() -> int:
    """Be what the first line says, for as long as the second one says."""
    order = json.loads(sys.stdin.readline())
    context = zmq.Context[zmq.Socket[bytes]]()
    context.set(zmq.MAX_SOCKETS, 4096)
    sims = list(sims_of(order, context))
    poller, known = zmq.Poller(), dict[object, Sim]()
    for sim in sims:
        poller.register(sim.socket, zmq.POLLIN)
        known[sim.socket] = sim
    greet(sims, poller, known, 60.0)
    print(json.dumps({"in": len(sims)}), flush=True)
    until = time.monotonic() + float(sys.stdin.readline())
    deep, wide, pause = deepest(), widest(), float(order.get("pause", 1.0))
    for sim in sims:  # not all of them in one moment
        sim.next_at = time.monotonic() + random.random() * pause
        sim.health_at = time.monotonic() + random.random() * HEALTH_EVERY
    while (now := time.monotonic()) < until:
        for sim in sims:
            if order["manner"] == "honest":
                honest(sim, now, pause)
            elif order["manner"] == "slow":
                slow(sim)
            elif order["manner"] == "wedged":
                sim.health(1)
                wedge(until - now)
            else:
                hostile(sim, now, deep, wide)
        hear_all(poller, known)
    now = time.monotonic()
    waiting = [now - sim.said_at for sim in sims if sim.said_at]
    acks = [took for sim in sims for took in sim.acks]
    told = {
        "acks": [*acks, *(one for one in waiting if one > 1.0)],
        "said": sum(sim.said for sim in sims),
        "refused": sum(sim.refused for sim in sims),
    }
    print(json.dumps(told), flush=True)
    context.destroy(linger=0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
