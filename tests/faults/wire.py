"""Two network namespaces and a wire between them that delays, loses and cuts real packets.

netem does this in the kernel, where the kernel has it; here a process carries them from one TUN
device to the other, so TCP above it is the kernel's own: it retransmits, backs off and gives up.

    NEAR (10.99.0.1, the master's)  <- packets ->  FAR (10.99.0.2, the nodes')

`python -m tests.faults.wire NEAR FAR` is the process: it takes a Weather a line, as JSON, and ends
with its standard input. Both namespaces are gone when the block of wire() ends.
"""

from __future__ import annotations

import fcntl
import heapq
import os
import random
import secrets
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Final

import msgspec
from pyroute2 import netns

from tests.system.namespace import run

NEAR: Final = "10.99.0.1"
FAR: Final = "10.99.0.2"
TUNSETIFF: Final = 0x400454CA  # <linux/if_tun.h>
TUN_WITHOUT_HEADER: Final = 0x1001  # IFF_TUN | IFF_NO_PI
MOST: Final = 65536  # bytes of a packet
IP: Final = "/usr/sbin/ip"


class Weather(msgspec.Struct, frozen=True):
    """What befalls packets. Seconds each way, a share, and whether a direction is cut."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    to_far: bool = True  # False: what the near side sends is lost
    to_near: bool = True


@dataclass(frozen=True, slots=True)
class Wire:
    """A wire, and the names of the namespaces at its ends."""

    near: str
    far: str
    process: subprocess.Popen[bytes]

    def be(self, weather: Weather) -> None:
        """Change what befalls packets; it holds when this returns."""
        if self.process.stdin is None or self.process.stdout is None:
            raise AssertionError("it has pipes")
        self.process.stdin.write(msgspec.json.encode(weather) + b"\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != b"so\n":
            raise AssertionError(f"the wire ended with {self.process.wait(5)}")


@contextmanager
def wire() -> Iterator[Wire]:
    """Give two namespaces with a wire between them that is in order."""
    name = f"saltern-{os.getpid()}-{secrets.token_hex(2)}"
    near, far = f"{name}-near", f"{name}-far"
    process: subprocess.Popen[bytes] | None = None
    made = []
    try:
        for one in (near, far):
            run(IP, "netns", "add", one)
            made.append(one)
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.wire", near, far],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        found = Wire(near, far, process)
        found.be(Weather())
        yield found
    finally:
        if process is not None:
            process.communicate()
        for one in made:
            run(IP, "netns", "del", one)


def main(near: str, far: str) -> None:
    """Carry packets until the standard input ends."""
    ends = (_device(near, NEAR, FAR), _device(far, FAR, NEAR))
    weather, numbers, chance = Weather(), count(), random.Random()
    flying: list[tuple[float, int, int, bytes]] = []  # due, number, to, packet
    poll = select.poll()
    for one in (sys.stdin.fileno(), *ends):
        poll.register(one, select.POLLIN)
    while True:
        wait = 1000.0 if not flying else max(0.0, flying[0][0] - time.monotonic()) * 1000
        for descriptor, _ in poll.poll(wait):
            if descriptor not in ends:
                line = os.read(descriptor, MOST)
                if not line:
                    return
                weather = msgspec.json.decode(line, type=Weather)
                os.write(sys.stdout.fileno(), b"so\n")
                continue
            packet, is_near = os.read(descriptor, MOST), descriptor == ends[0]
            passes = weather.to_far if is_near else weather.to_near
            if passes and chance.random() >= weather.loss:
                late = weather.delay + chance.uniform(-weather.jitter, weather.jitter)
                to = ends[1] if is_near else ends[0]
                heapq.heappush(flying, (time.monotonic() + late, next(numbers), to, packet))
        while flying and flying[0][0] <= time.monotonic():
            _, _, to, packet = heapq.heappop(flying)
            os.write(to, packet)


def _device(namespace: str, own: str, other: str) -> int:
    """Make an end of the wire in a namespace; gives what its packets are read from."""
    netns.setns(namespace)
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"wire", TUN_WITHOUT_HEADER))
    run(IP, "address", "add", own, "peer", other, "dev", "wire")
    for one in ("lo", "wire"):
        run(IP, "link", "set", one, "up")
    return device


if __name__ == "__main__":
    main(*sys.argv[1:])
