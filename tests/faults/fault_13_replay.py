"""Fault 13: what passed between a node and its master, recorded, played again and damaged.

* A whole session of a real agent with a real master is played again to the front and to the agent,
  whole, frame by frame, and each frame after the handshake of the recording.
* In live sessions with a real front, frames of an earlier one are put in, and bits are flipped:
  each bit of what is said and answered, in the full form.
* Every bit of each kind of signed envelope is flipped.

An effect is: another byte in the store or the journal, a node that is let in, a message that comes
out of a socket and was not said to it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from random import Random
from typing import Final

from msgspec.structs import replace
from saltern_agent.places import read_master
from saltern_protocol import testing
from saltern_protocol.errors import ProtocolError
from saltern_protocol.trust import Trust

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.live_flips import live
from tests.faults.replayed import (
    Player,
    Recorded,
    agent,
    heard_by_node,
    pieces_of,
    play,
    point_to,
    recorded,
)
from tests.faults.wiretap import GREETING
from tests.master.test_core_process import wait

HANDSHAKE: Final = 3  # greeting, HELLO, INITIATE: what a node says before its first message
SECONDS: Final = 20.0


def run(trial: Trial) -> Seen:
    """Play again, and flip so many bits of live sessions; all there are if that is fewer."""
    chance = Random(trial.seed)
    with recorded(trial.directory) as session:
        before, let_in = session.stored(), session.comings()
        to_front = _to_front(session)
        changed = int(session.stored() != before)
        entered = session.comings() - let_in
        to_agent, journalled, taken = _to_agent(session, trial.rounds)
    damaged = live(trial.directory / "live", chance, trial.rounds)
    flips, believed = _envelopes(chance, trial.rounds)
    return Seen(
        to_front + to_agent + damaged.tried + flips,
        (
            Figure("changes of the store", changed),
            Figure("times let in", entered),
            Figure("changes of the journal", journalled),
            Figure("replayed messages taken", taken + damaged.replayed),
            Figure("altered messages taken", damaged.altered),
            Figure("flipped ciphertext taken", damaged.opened),
            Figure("flipped envelopes believed", believed),
            Figure("honest sessions that failed", damaged.failed),
        ),
        how=f"{to_front} replays to the front, {to_agent} to the agent, {damaged.tried} live "
        f"sessions of which {damaged.flips} had a bit flipped, {flips} flips of envelopes",
    )


def _to_front(session: Recorded) -> int:
    """Play the node's side, whole and by frame; give how often."""
    pieces = pieces_of(session.up)
    parts: list[Sequence[bytes]] = [[session.up], pieces]
    parts += [(*pieces[:HANDSHAKE], one) for one in pieces[HANDSHAKE:]]
    parts += [(pieces[0], one) for one in pieces[1:]]
    wait(
        "the front does not even begin a handshake: this would prove nothing",
        lambda: len(play(session.port, pieces[:2])) > GREETING,
    )
    for part in parts:
        play(session.port, part)
    return len(parts)


def _to_agent(session: Recorded, rounds: int) -> tuple[int, int, int]:
    """Play the master's side; give how often, changes of the journal, and messages taken."""
    place = read_master(session.places)
    assert place is not None
    pieces = pieces_of(session.down)
    parts: list[Sequence[bytes]] = [[session.down], pieces]
    parts += [(*pieces[:HANDSHAKE], one) for one in pieces[HANDSHAKE : HANDSHAKE + rounds]]
    before = session.journalled()
    player = Player(parts)
    try:
        point_to(session.root, place, player.port)
        with agent(session.root):
            until = time.monotonic() + SECONDS
            while player.played < 2:
                assert time.monotonic() < until, "the agent does not try again"
                time.sleep(0.01)
        changed = int(session.journalled() != before)
        taken, played = 0, player.played
        while player.played < played + len(parts):
            taken += len(heard_by_node(session, place, player.port))
    finally:
        player.close()
    return player.played, changed, taken


def _envelopes(chance: Random, rounds: int) -> tuple[int, int]:
    """Flip bits of signed things, each by itself; give how many, and how many were believed."""
    believer, who = testing.trust(), testing.IDENTITY
    pinned = Trust.pin(who)
    nonce = testing.LEASE.nonce
    second = testing.signed_root(replace(testing.ROOT, version=2))
    signed = (
        (testing.signed_document(testing.DOCUMENT),
         lambda data: believer.accept(data, testing.BODY, who, None, testing.NOW)),
        (testing.signed_lease(testing.LEASE), lambda data: believer.lease(data, who, nonce)),
        (testing.signed_policy(testing.POLICY), pinned.with_policy),
        (second, pinned.walk),
    )  # fmt: skip
    tried = believed = 0
    for data, believe in signed:
        believe(data)
        for flipped in _flipped(data, chance, rounds):
            tried += 1
            try:
                believe(flipped)
                believed += 1
            except ProtocolError:
                continue
    return tried, believed


def _flipped(data: bytes, chance: Random, rounds: int) -> Iterator[bytes]:
    bits = range(len(data) * 8)
    for bit in bits if rounds >= len(bits) else sorted(chance.sample(bits, rounds)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)


FAULT = Fault(
    number=13,
    what="a recorded session played again, and damaged",
    short=200,
    full=20_000,
    run=run,
)
