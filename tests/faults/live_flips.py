"""Live sessions of a real front and nodes' sockets, with bits flipped and old frames put in.

In each a node says Hello and the core at the front's other end answers with a Lease. Whatever comes
out at either end has to be what was said there, byte for byte: all else is taken that was altered.
Sessions of one batch run side by side; a batch is over when nothing has come for QUIET seconds.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from random import Random
from typing import Final

import zmq
from saltern_master.front.frames import Heard, Peers, Tell
from saltern_protocol import messages

from tests.faults.wiretap import Change, Flip, Splice, Tap, Way, frames
from tests.master.front_stand import HELLO, Core, Keys, Lines, dial, fronts, many_lines, new_keys
from tests.protocol.examples import FROM_MASTER

SAID: Final = messages.encode(HELLO)
ANSWER: Final = messages.encode(FROM_MASTER["lease"])
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


@dataclass(frozen=True, slots=True)
class Came:
    """What came out in one session, at each end."""

    up: tuple[bytes, ...]
    down: tuple[bytes, ...]


def live(blobs: Path, chance: Random, rounds: int) -> Damaged:
    """Flip so many bits, or all; put in every frame of an earlier session."""
    blobs.mkdir(mode=0o711)
    keys = [new_keys() for _ in range(BATCH)]
    with fronts(blobs, *(one.public for one in keys)) as core, many_lines() as lines:
        record, honest = _batch(core, lines, keys, [None] * 5)
        up, down = record[0]
        splices = list(_splices(up, down))
        bits = [*_bits("up", len(up)), *_bits("down", len(down))]
        flips = bits if rounds >= len(bits) else chance.sample(bits, rounds)
        results: list[tuple[Change, Came]] = [(None, one) for one in honest]
        changes: Iterator[Change] = iter([*splices, *flips])
        while some := list(islice(changes, BATCH)):
            results += zip(some, _batch(core, lines, keys, some)[1], strict=True)
    return _judge(results, up, down)


def _bits(way: Way, size: int) -> Iterator[Flip]:
    return (Flip(way, byte, bit) for byte in range(size) for bit in range(8))


def _splices(up: bytes, down: bytes) -> Iterator[Splice]:
    """Put each frame of the recording into a session of the same keys, after its handshake."""
    for way, stream in (("up", up), ("down", down)):
        *_, last = islice(frames(stream), COMMANDS)
        for one in frames(stream):
            yield Splice("up" if way == "up" else "down", last.end, stream[one.start : one.end])


def _batch(
    core: Core, lines: Lines, keys: Sequence[Keys], changes: Sequence[Change]
) -> tuple[list[tuple[bytes, bytes]], list[Came]]:
    """Have a session for each change, side by side; give the streams and what came out."""
    heard: dict[bytes, list[bytes]] = {}
    with Tap(core.link_port, tuple(changes)) as tap:
        pairs = list(zip(keys, tap.ports, strict=False))
        nodes = [dial(lines, key, core.master.public, port) for key, port in pairs]
        for node in nodes:
            with suppress(zmq.Again):  # its connection has ended already
                node.socket.send(SAID, zmq.NOBLOCK)
        told: list[list[bytes]] = [[] for _ in nodes]
        quiet = time.monotonic() + 1.0
        while time.monotonic() < quiet and not _whole(heard, told, len(nodes)):
            came = _drain(core, heard)
            for at, node in enumerate(nodes):
                while node.socket.poll(0):
                    told[at].append(b"".join(node.socket.recv_multipart()))
                    came = True
            quiet = time.monotonic() + QUIET if came else quiet
            select.select([core.pair], [], [], 0.002)
        streams = [(bytes(line.up), bytes(line.down)) for line in tap.lines]
        for node in nodes:
            node.close()
    lines.nodes.clear()
    core.say(Peers(keys=()), Peers(keys=tuple(one.public for one in keys)))
    used = [key.public for key, _ in pairs]
    return streams, [
        Came(tuple(heard.get(key, ())), tuple(down)) for key, down in zip(used, told, strict=True)
    ]


def _whole(heard: dict[bytes, list[bytes]], told: Iterable[list[bytes]], nodes: int) -> bool:
    return len(heard) == nodes and all(told)


def _drain(core: Core, heard: dict[bytes, list[bytes]]) -> bool:
    """Take what the front says; answer each message."""
    while core.read(0):
        pass
    came, core._came[:] = list(core._came), []
    for frame in came:
        if isinstance(frame, Heard):
            heard.setdefault(frame.key, []).append(frame.data)
            core.say(Tell(key=frame.key, data=ANSWER))
    return any(isinstance(frame, Heard) for frame in came)


def _judge(results: Sequence[tuple[Change, Came]], up: bytes, down: bytes) -> Damaged:
    altered = replayed = opened = failed = 0
    for change, came in results:
        altered += sum(one != SAID for one in came.up) + sum(one != ANSWER for one in came.down)
        replayed += max(0, len(came.up) - 1) + max(0, len(came.down) - len(came.up))
        if isinstance(change, Flip) and _in_ciphertext(change, up, down):
            opened += len(came.up if change.way == "up" else came.down)
        if change is None:
            failed += came != Came((SAID,), (ANSWER,))
    flips = sum(isinstance(change, Flip) for change, _ in results)
    return Damaged(len(results), flips, altered, opened, replayed, failed)


def _in_ciphertext(flip: Flip, up: bytes, down: bytes) -> bool:
    """Say whether a bit is of a message's body, which comes after the handshake."""
    stream = up if flip.way == "up" else down
    said = islice(frames(stream), COMMANDS, None)
    return any(one.body <= flip.byte < one.end for one in said)
