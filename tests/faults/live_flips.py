"""Live sessions of a real front and nodes' sockets, with bits flipped and old frames put in.

In each a node says Hello and the core at the front's other end answers with a Lease, both with the
session's number. Whatever comes out at either end, now or later, has to be what was said there,
byte for byte, and come once: all else is altered, or replayed, and was taken.
Sessions of one batch run side by side; a batch is over when nothing has come for QUIET seconds.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import zmq
from msgspec.structs import replace
from saltern_master.front.frames import Heard, Tell
from saltern_protocol import messages

from tests.faults.wiretap import Change, Flip, Splice, Tap, Way, frames
from tests.master.front_stand import (
    HELLO,
    Core,
    Keys,
    Lines,
    Node,
    dial,
    fronts,
    many_lines,
    new_keys,
)

BATCH: Final = 60
QUIET: Final = 0.15
COMMANDS: Final = 2  # frames of a handshake, from each side


@dataclass(frozen=True, slots=True)
class Damaged:
    """What came of all sessions."""

    tried: int
    flips: int
    altered: int  # messages that came out otherwise than they were said
    opened: int  # messages that came although a bit of their ciphertext was flipped
    replayed: int  # messages that came out twice
    failed: int  # sessions without any change in which a message did not come


def said(number: int) -> bytes:
    """Give what the node says in a session; no two say the same."""
    return messages.encode(replace(HELLO, nonce=number.to_bytes(16, "big")))


def answer(number: int) -> bytes:
    """Give what it is answered."""
    return messages.encode(messages.Lease(lease=number.to_bytes(16, "big") * 20))


@dataclass(slots=True)
class Session:
    """One session: what is done to it, and what came out of it at each end, also later."""

    number: int
    change: Change
    up: list[bytes] = field(default_factory=list)
    down: list[bytes] = field(default_factory=list)
    streams: tuple[bytes, bytes] = (b"", b"")

    @property
    def altered(self) -> int:
        wrong = sum(one != said(self.number) for one in self.up)
        return wrong + sum(one != answer(self.number) for one in self.down)

    @property
    def whole(self) -> bool:
        return self.up == [said(self.number)] and self.down == [answer(self.number)]


def live(blobs: Path, chance: Random, rounds: int) -> Damaged:
    """Flip so many bits, or all; put in every frame of an earlier session."""
    blobs.mkdir(mode=0o711)
    keys = [new_keys() for _ in range(BATCH)]
    with fronts(blobs, *(one.public for one in keys)) as core, many_lines() as lines:
        stand = Stand(core, lines, keys)
        stand.batch([None] * 5)
        up, down = stand.sessions[0].streams
        bits = [*_bits("up", len(up)), *_bits("down", len(down))]
        flips = bits if rounds >= len(bits) else chance.sample(bits, rounds)
        changes: Iterator[Change] = iter([*_splices(up, down), *flips])
        while some := list(islice(changes, BATCH)):
            stand.batch(some)
    return _judge(stand, up, down)


def _bits(way: Way, size: int) -> Iterator[Flip]:
    return (Flip(way, byte, bit) for byte in range(size) for bit in range(8))


def _splices(up: bytes, down: bytes) -> Iterator[Splice]:
    """Put each frame of the recording into a session of the same keys, after its handshake."""
    ways: tuple[tuple[Way, bytes], ...] = (("up", up), ("down", down))
    for way, stream in ways:
        *_, last = islice(frames(stream), COMMANDS)
        for one in frames(stream):
            yield Splice(way, last.end, stream[one.start : one.end])


@dataclass(slots=True)
class Stand:
    """A front, nodes' keys, and all sessions so far."""

    core: Core
    lines: Lines
    keys: Sequence[Keys]
    sessions: list[Session] = field(default_factory=list)
    strange: int = 0  # messages that nobody said

    def batch(self, changes: Sequence[Change]) -> None:
        """Have a session for each change, side by side."""
        begun = [Session(len(self.sessions) + at, one) for at, one in enumerate(changes)]
        self.sessions += begun
        with Tap(self.core.link_port, tuple(changes)) as tap:
            pairs = zip(self.keys, tap.ports, strict=False)
            nodes = [dial(self.lines, key, self.core.master.public, port) for key, port in pairs]
            for node, session in zip(nodes, begun, strict=True):
                with suppress(zmq.Again):  # its connection has ended already
                    node.socket.send(said(session.number), zmq.NOBLOCK)
            quiet = time.monotonic() + 1.0
            while time.monotonic() < quiet and not all(one.up and one.down for one in begun):
                came = self._drain() + sum(map(_hear, nodes, begun))
                quiet = time.monotonic() + QUIET if came else quiet
                select.select([self.core.pair], [], [], 0.002)
            for line, session in zip(tap.lines, begun, strict=False):
                session.streams = bytes(line.up), bytes(line.down)
            for node in nodes:
                node.close()
        self.lines.nodes.clear()

    def _drain(self) -> int:
        """Take what the front says; answer each message. Gives how many came."""
        while self.core.read(0):
            pass
        came, self.core._came[:] = list(self.core._came), []
        heard = [one for one in came if isinstance(one, Heard)]
        for frame in heard:
            message = messages.from_node(frame.data)
            number = int.from_bytes(getattr(message, "nonce", b""), "big")
            if number < len(self.sessions):
                self.sessions[number].up.append(frame.data)
                self.core.say(Tell(key=frame.key, data=answer(number)))
            else:
                self.strange += 1
        return len(heard)


def _hear(node: Node, session: Session) -> int:
    came = 0
    while node.socket.poll(0):
        session.down.append(b"".join(node.socket.recv_multipart()))
        came += 1
    return came


def _judge(stand: Stand, up: bytes, down: bytes) -> Damaged:
    sessions = stand.sessions
    flipped = [one for one in sessions if isinstance(one.change, Flip)]
    opened = sum(
        len(one.up if one.change.way == "up" else one.down)
        for one in flipped
        if isinstance(one.change, Flip) and _in_ciphertext(one.change, up, down)
    )
    return Damaged(
        tried=len(sessions),
        flips=len(flipped),
        altered=stand.strange + sum(one.altered for one in sessions),
        opened=opened,
        replayed=sum(max(0, len(one.up) - 1) + max(0, len(one.down) - 1) for one in sessions),
        failed=sum(not one.whole for one in sessions if one.change is None),
    )


def _in_ciphertext(flip: Flip, up: bytes, down: bytes) -> bool:
    """Say whether a bit is of a message's body, which comes after the handshake."""
    stream = up if flip.way == "up" else down
    after = islice(frames(stream), COMMANDS, None)
    return any(one.body <= flip.byte < one.end for one in after)
