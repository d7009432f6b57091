"""Fault 20: what strangers send before a handshake: frames that claim much, greetings by the byte.

At the link: 500 connections say the greeting at a byte each half second, all at once. Meanwhile
`rounds` others, a few at a time, claim a frame of 256 MB or of 2^62 bytes after the greeting. A
node speaks all the time.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import time
from contextlib import suppress

from saltern_master.front.sockets import HANDSHAKE_MS

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.frontage import fronts, greeted, resident, round_trip
from tests.faults.strangers import GREETING
from tests.master.front_stand import many_lines, new_keys

SLOW, AT_ONCE = 500, 8
CLAIMS = (256 * 2**20, 2**62)
BYTE_EVERY, TRIP_EVERY = 0.5, 0.1
MIB = 2**20
BODY = 256 * 1024


def run(trial: Trial) -> Seen:
    """Open all, and watch until the last is gone."""
    chance = random.Random(trial.seed)
    keys = new_keys()
    with many_lines() as lines, fronts(trial.directory, [keys]) as core:
        node = greeted(core, core.node(lines, keys))
        for _ in range(20):
            round_trip(core, node)
        before = most = resident(core)
        began = time.monotonic()
        address = ("127.0.0.1", core.link_port)
        slow = [_connect(address) for _ in range(SLOW)]
        claimed: list[socket.socket] = []
        open_ones, slowest = set(slow), 0.0
        spoke, tripped, said = 0.0, 0.0, 0
        while open_ones or len(claimed) < trial.rounds:
            assert time.monotonic() - began < 60, f"{len(open_ones)} are not gone"
            for _ in range(min(AT_ONCE, trial.rounds - len(claimed))):
                claimed.append(_connect(address))
                claimed[-1].sendall(_claim(chance))
                open_ones.add(claimed[-1])
            if time.monotonic() - spoke >= BYTE_EVERY:
                spoke = time.monotonic()
                _say_a_byte(open_ones.intersection(slow), said)
                said += 1
            _fill(open_ones.intersection(claimed[-2 * AT_ONCE :]))
            open_ones -= _gone(open_ones)
            most = max(most, resident(core))
            if time.monotonic() - tripped >= TRIP_EVERY:
                tripped = time.monotonic()
                slowest = max(slowest, round_trip(core, node))
        gone = time.monotonic() - began
        for one in (*slow, *claimed):
            one.close()
    return Seen(
        trial.rounds,
        (
            Figure("growth of the front", (most - before) / MIB, 2, "MiB"),
            Figure("all gone after", gone, HANDSHAKE_MS / 1000 + 1, "s"),
            Figure("slowest trip of a node meanwhile", slowest, 1, "s"),
        ),
        f"and {SLOW} slow greetings at once",
    )


def _connect(address: tuple[str, int]) -> socket.socket:
    one = socket.create_connection(address, 10)
    one.setblocking(False)
    return one


def _claim(chance: random.Random) -> bytes:
    """A greeting, and the head of a command (long) that claims so much."""
    return GREETING + b"\x06" + struct.pack(">Q", chance.choice(CLAIMS)) + chance.randbytes(100)


def _say_a_byte(slow: set[socket.socket], at: int) -> None:
    for one in slow:
        with suppress(OSError):  # it is gone, as is seen in a moment
            one.send(GREETING[at : at + 1])


def _fill(claimed: set[socket.socket]) -> None:
    """Say some of what was claimed: what is only promised fills no memory."""
    for one in claimed:
        with suppress(OSError):
            one.send(bytes(BODY))


def _gone(open_ones: set[socket.socket]) -> set[socket.socket]:
    """Read what came; give those that were closed."""
    poller = select.poll()
    by_number = {one.fileno(): one for one in open_ones}
    for number in by_number:
        poller.register(number, select.POLLIN)
    gone = set()
    for number, _ in poller.poll(50):
        one = by_number[number]
        try:
            if not one.recv(4096):
                gone.add(one)
        except ConnectionError:
            gone.add(one)
    return gone


FAULT = Fault(
    number=20,
    what="bytes before the handshake",
    short=40,
    full=500,
    run=run,
    alone=True,
)
