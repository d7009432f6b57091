"""Who floods the front, or breaks off in a flood, is cut off: it lives, and others go on."""

from __future__ import annotations

import random
import select
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import pytest
import zmq
from saltern_master.front.frames import Heard, Knock, Silent
from saltern_protocol import messages
from saltern_protocol.messages import (
    MAX_MESSAGE,
    Plan,
    PlanLine,
)

from tests.master.front_stand import (
    HEALTH,
    HELLO,
    REPORT,
    SECONDS,
    A,
    B,
    Core,
    Keys,
    Lines,
    Node,
    dial,
    end,
    fronts,
    greeted,
    memory,
    new_keys,
    round_trip,
)
from tests.master.severed_line import SeveredLine
from tests.protocol.examples import FROM_STRANGER

MIB: Final = 2**20
CSR: Final = next(iter(FROM_STRANGER.values()))
OUTSIDE: Final = (0, zmq.EVENT_DISCONNECTED, zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL)
"""What becomes of who is not let in: nothing; or it waited, and was sent away."""


@pytest.mark.parametrize("where", ["link", "door"])
def test_a_message_without_an_end_is_cut_and_fills_nothing(
    core: Core, lines: Lines, where: str
) -> None:
    good = greeted(core, core.node(lines, B))
    before = memory(core)
    port = core.link_port if where == "link" else core.door_port
    bad = dial(lines, A, core.master.public, port)
    assert bad.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED
    frame = zmq.Frame(bytes(MAX_MESSAGE - 100), copy=False)  # one buffer for all
    for _ in range(4000):  # a gigabyte
        bad.socket.send(frame, zmq.SNDMORE, copy=False)
    bad.socket.send(b"end")

    most = before
    while not bad.monitor.poll(20):  # no faster than an honest node may speak
        most = max(most, memory(core))
        round_trip(core, good)
    assert bad.event() == zmq.EVENT_DISCONNECTED
    print(f"grew by {(most - before) // MIB} MiB")
    assert most - before < 400 * MIB
    assert "it filled our memory" in end(core)


@pytest.mark.parametrize("where", ["link", "door"])
def test_whose_connection_fails_while_much_of_it_waits_ends_nothing(
    core: Core, lines: Lines, where: str
) -> None:
    good = greeted(core, core.node(lines, B))
    port = core.link_port if where == "link" else core.door_port
    for _ in range(10):
        bad = SeveredLine(A, core.master.public, port)
        bad.say_and_fail(messages.encode(HEALTH), 12_000)  # more than libzmq reads at once
        round_trip(core, good)
    assert core.process.poll() is None


@pytest.mark.parametrize("where", ["link", "door"])
def test_who_goes_on_to_deaf_ears_is_cut_off(core: Core, lines: Lines, where: str) -> None:
    good = greeted(core, core.node(lines, B))
    before = memory(core)
    port = core.link_port if where == "link" else core.door_port
    bad = dial(lines, A, core.master.public, port)
    assert bad.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED
    data, said, spoke = messages.encode(REPORT), 0, 0.0
    while bad.event_now() != zmq.EVENT_DISCONNECTED:
        said += _says(bad, data, 500)
        while bad.socket.poll(0):  # else libzmq would not tell us that it is gone
            bad.socket.recv()
        if time.monotonic() - spoke > 0.05:  # no faster than an honest node may speak
            round_trip(core, good)
            spoke = time.monotonic()
    print(f"said {said}, grew by {(memory(core) - before) // MIB} MiB")
    assert memory(core) - before < 200 * MIB
    round_trip(core, good)


def test_who_was_cut_off_and_claims_the_same_routing_id_is_cut_off_again(
    core: Core, lines: Lines
) -> None:
    good, cut, until = greeted(core, core.node(lines, B)), 0, time.monotonic() + 2 * SECONDS
    while cut < 3:
        assert time.monotonic() < until, cut
        bad = dial(lines, A, core.master.public, core.link_port, b"same")
        assert bad.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED
        soon = time.monotonic() + 3  # it is not read where the last one is not forgotten yet
        while time.monotonic() < soon and not bad.monitor.poll(20):
            _says(bad, b"rubbish", 50)  # no more than is read meanwhile
            while bad.socket.poll(0):
                bad.socket.recv()
        cut += bad.event_now() == zmq.EVENT_DISCONNECTED
        bad.close()
        round_trip(core, good)


def test_where_routing_ids_begin_at_one_front_says_nothing_of_another(
    tmp_path: Path, lines: Lines
) -> None:
    with fronts(tmp_path) as core:
        learnt = _knocked(core, lines)
    with fronts(tmp_path) as core:
        for later in range(1, 21):  # whoever claims the next ends the front as soon as that comes
            claimed = (int.from_bytes(learnt) + later).to_bytes(5)
            bad = dial(lines, new_keys(), core.master.public, core.door_port, claimed)
            assert bad.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED
        _knocked(core, lines)
        _knocked(core, lines)
        assert core.process.poll() is None


def _knocked(core: Core, lines: Lines) -> bytes:
    """Knock, and give the routing id that one more got."""
    stranger = dial(lines, new_keys(), core.master.public, core.door_port)
    stranger.say(CSR)
    return core.wait(Knock, stranger.keys.public).route


def _says(node: Node, data: bytes, count: int) -> int:
    """Say it so often, as far as the connection takes it; give how often that was."""
    for said in range(count):
        try:
            node.socket.send(data, zmq.NOBLOCK)
        except zmq.Again:
            return said
    return count


def test_who_fills_the_front_while_core_does_not_read_stays_outside_until_it_does(
    core: Core, lines: Lines
) -> None:
    good, bad = greeted(core, core.node(lines, B)), greeted(core, core.node(lines, A))
    before = memory(core)
    page = Plan(turn=1, page=0, last=False, lines=(_line(60_000),) * 3)
    for _ in range(30):  # more than is kept for core
        good.say(page)
    _settled(core)
    frame, most = zmq.Frame(bytes(MAX_MESSAGE - 100), copy=False), before
    while bad.event_now() != zmq.EVENT_DISCONNECTED:
        with suppress(zmq.Again):
            bad.socket.send(frame, zmq.NOBLOCK, copy=False)
        bad.monitor.poll(1)  # a quarter of a gigabyte a second: also a front that is late sees it
        most = max(most, memory(core))
    print(f"grew by {(most - before) // MIB} MiB")
    assert most - before < 400 * MIB

    for _ in range(5):
        late = core.node(lines, A)
        late.monitor.poll(100)
        assert late.event_now() in OUTSIDE
        late.close()
    for _ in range(30):
        core.heard(good, Plan)
    # It had brought much as well, and may have been shut.
    round_trip(core, greeted(core, _let_in(core, lines, B)))


def _let_in(core: Core, lines: Lines, keys: Keys) -> Node:
    """Connect anew until that is allowed, as nodes do."""
    until = time.monotonic() + SECONDS
    while True:
        node = core.node(lines, keys)
        if node.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            return node
        node.close()
        assert time.monotonic() < until


def test_what_nothing_gives_back_ends_the_front_and_core_starts_another(
    core: Core, lines: Lines
) -> None:
    taken = dial(lines, A, core.master.public, core.door_port, b"same")
    assert taken.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED
    frame = zmq.Frame(bytes(MAX_MESSAGE - 100), copy=False)
    until = time.monotonic() + 60
    while core.process.poll() is None:
        assert time.monotonic() < until, memory(core)
        again = dial(lines, B, core.master.public, core.door_port, b"same")
        while core.process.poll() is None and again.event_now() != zmq.EVENT_DISCONNECTED:
            try:
                again.socket.send(frame, zmq.NOBLOCK, copy=False)
            except zmq.Again:
                again.socket.poll(1, zmq.POLLOUT)
        again.close()
    assert core.process.returncode == 1
    assert "which no connection explains" in end(core)


def test_core_that_does_not_read_is_waited_for_and_nothing_is_lost(
    core: Core, lines: Lines
) -> None:
    nodes = [greeted(core, core.node(lines, keys)) for keys in (A, B)]
    before = memory(core)
    line = _line(60_000)
    said = [Plan(turn=1, page=page, last=False, lines=(line, line, line)) for page in range(60)]
    for plan in said:
        for node in nodes:
            node.say(plan)
    _settled(core)
    print(f"grew by {(memory(core) - before) // MIB} MiB")
    assert memory(core) - before < 30 * MIB  # 21 were said

    for node in nodes:
        heard = [messages.from_node(core.wait(Heard, node.keys.public).data) for _ in said]
        assert heard == said


def _line(size: int) -> PlanLine:
    return PlanLine(
        resource="r", verb="v", finding="f", change="c", impact="none", detail="d" * size
    )


def _settled(core: Core) -> int:
    """Wait until the front's processor time does no longer grow by more than its idling."""
    until, spent = time.monotonic() + SECONDS, -1.0
    while time.monotonic() < until:
        stat = Path(f"/proc/{core.process.pid}/stat").read_text().rpartition(")")[2].split()
        now = float(stat[11]) + float(stat[12])
        if now - spent <= 1:
            return memory(core)
        spent = now
        select.select([], [], [], 0.3)
    pytest.fail("the front is never idle")


def test_rubbish_ends_in_quarantine_and_others_go_on(core: Core, lines: Lines) -> None:
    good, bad = greeted(core, core.node(lines, B)), greeted(core, core.node(lines, A))
    chance = random.Random(15)
    whole = messages.encode(HELLO)
    for number in range(2000):
        data = bytearray(whole if number % 2 else chance.randbytes(chance.randrange(300)))
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        if not _says(bad, bytes(data), 1):
            break  # it was cut off
        if number % 100 == 0:
            round_trip(core, good)
    core.wait(Silent, A.public)
    round_trip(core, good)

    answers = [bad.hear()]
    while not isinstance(answers[-1], messages.Refused):
        answers.append(bad.hear())
    assert answers[-1].reason == "quarantine"
