"""Who hangs with its link up is told; who is gone, or came back, is not. The clock is our own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from io import StringIO

import pytest
import zmq
from saltern_master.front.frames import Frame, Silent
from saltern_master.front.link import WEDGED_SECONDS, Counts, Link
from saltern_master.front.log import Log
from saltern_master.front.peer import ASK_SECONDS, SILENT_SECONDS
from saltern_master.front.sockets import Letter
from saltern_protocol import messages

from tests.master.front_stand import HEALTH, HELLO

KEY = b"k" * 32


@dataclass(slots=True)
class Ground:
    """A Link on a ROUTER, and a DEALER that is its node."""

    router: zmq.Socket[bytes]
    dealer: zmq.Socket[bytes]
    link: Link
    told: list[Frame] = field(default_factory=list)

    def say(self, message: messages.Message, now: float) -> None:
        self.dealer.send(messages.encode(message))
        assert self.router.poll(5000)
        route, data = self.router.recv_multipart()
        self.link.hear(Letter(route, KEY, "127.0.0.1", data), now)

    def hears(self) -> messages.Message:
        assert self.dealer.poll(5000)
        return messages.from_master(self.dealer.recv())

    def close(self) -> None:
        """End the node's connection, and wait until ROUTER has taken notice."""
        monitor = self.router.get_monitor_socket(zmq.EVENT_DISCONNECTED)
        self.dealer.close(linger=0)
        assert monitor.poll(5000)
        self.router.disable_monitor()
        monitor.close(linger=0)
        self.router.poll(50)  # lets ROUTER take notice

    def sweep(self, now: float, listening: float = 0.0) -> None:
        self.link.sweep(now, listening)

    def silences(self) -> list[bool]:
        return [one.linked for one in self.told if isinstance(one, Silent)]


@pytest.fixture
def ground() -> Iterator[Ground]:
    context = zmq.Context[zmq.Socket[bytes]]()
    router, dealer = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    for one in (router, dealer):
        one.setsockopt(zmq.LINGER, 0)
    router.setsockopt(zmq.ROUTER_MANDATORY, 1)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    dealer.connect(f"tcp://127.0.0.1:{port}")
    told: list[Frame] = []
    log = Log(StringIO(), lambda: 0.0)
    link = Link(router, lambda *_: None, told.append, Counts(), log)
    link.allow(frozenset({KEY}))
    yield Ground(router, dealer, link, told)
    context.destroy(linger=0)


def test_who_hangs_with_its_link_up_is_told_once(ground: Ground) -> None:
    ground.say(HELLO, 0.0)
    for now in (SILENT_SECONDS - 1, SILENT_SECONDS, WEDGED_SECONDS - 1):
        ground.sweep(now)
    assert ground.silences() == [False]
    for now in (WEDGED_SECONDS, WEDGED_SECONDS + 1, WEDGED_SECONDS + 60):
        ground.sweep(now)
    assert ground.silences() == [False, True]


def test_core_hears_how_long_ago_anything_was_said(ground: Ground) -> None:
    ground.say(HELLO, 0.0)
    ground.say(HEALTH, 7.5)
    ground.sweep(7.5 + SILENT_SECONDS)

    (silent,) = (one for one in ground.told if isinstance(one, Silent))
    assert silent.quiet_us == SILENT_SECONDS * 1e6


def test_whose_link_is_gone_does_not_hang(ground: Ground) -> None:
    ground.say(HELLO, 0.0)
    ground.sweep(SILENT_SECONDS)
    ground.close()
    ground.sweep(WEDGED_SECONDS)
    assert ground.silences() == [False]


def test_a_connection_that_was_closed_is_noticed_when_a_heartbeat_is_missing(
    ground: Ground,
) -> None:
    ground.say(HELLO, 0.0)
    ground.close()
    ground.sweep(ASK_SECONDS - 0.1)
    assert ground.silences() == []
    for now in (ASK_SECONDS, ASK_SECONDS + 1, SILENT_SECONDS, WEDGED_SECONDS):
        ground.sweep(now)
    (silent,) = (one for one in ground.told if isinstance(one, Silent))
    assert (silent.linked, silent.quiet_us) == (False, ASK_SECONDS * 1e6)


def test_a_connection_that_stands_is_tried_once_for_each_silence(ground: Ground) -> None:
    ground.say(HELLO, 0.0)
    for now in (ASK_SECONDS, ASK_SECONDS + 1, SILENT_SECONDS - 1):
        ground.sweep(now)
    ground.say(HEALTH, 60.0)
    ground.sweep(60.0 + ASK_SECONDS)
    ground.sweep(61.0 + ASK_SECONDS)

    assert ground.silences() == []
    assert [ground.hears() for _ in range(3)] == [messages.Beat()] * 3
    assert not ground.dealer.poll(50)


def test_silence_is_what_was_not_said_while_the_front_listened(ground: Ground) -> None:
    ground.say(HELLO, 0.0)
    back = 300.0
    for later in (0.0, ASK_SECONDS - 1):
        ground.sweep(back + later, back)
    assert ground.silences() == []
    assert not ground.dealer.poll(50)

    ground.sweep(back + SILENT_SECONDS, back)
    assert ground.silences() == [False]
    ground.sweep(back + WEDGED_SECONDS - 1, back)
    assert ground.silences() == [False]
    ground.sweep(back + WEDGED_SECONDS, back)
    assert ground.silences() == [False, True]


def test_an_agent_that_ends_soon_after_the_front_began_is_missed_as_soon_as_any(
    ground: Ground,
) -> None:
    ground.say(HELLO, 1.0)  # the front listens since 0.5
    ground.close()
    ground.sweep(1.0 + ASK_SECONDS, 0.5)
    assert ground.silences() == [False]


def test_who_says_something_again_does_not_hang(ground: Ground) -> None:
    ground.say(HELLO, 0.0)
    ground.sweep(SILENT_SECONDS)
    ground.say(HEALTH, SILENT_SECONDS + 1)
    ground.sweep(WEDGED_SECONDS + 1)
    assert ground.silences() == [False]


def test_who_may_speak_no_more_is_not_asked(ground: Ground) -> None:
    ground.say(HELLO, 0.0)
    ground.sweep(SILENT_SECONDS)
    ground.link.allow(frozenset())
    ground.sweep(WEDGED_SECONDS)
    assert ground.silences() == [False]
