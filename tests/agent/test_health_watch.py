"""The watch over a node's parts, turn by turn: when it looks, what it says, a look that hangs."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import cast

import pytest
from saltern_agent.health.looking import Found, Looks
from saltern_agent.health.values import GOOD, Judged, Wanted
from saltern_agent.health.watch import AGAIN, EVERY, FINDINGS_EVERY, PAUSE, STUCK, HealthWatch
from saltern_agent.keeper import Keeper
from saltern_agent.loop import Agent, Clocks, Turns
from saltern_agent.status import Status
from saltern_agent.supervised import untold
from saltern_agent.worker import Worker
from saltern_protocol.condition import Finding, State
from saltern_protocol.messages import Condition, Message
from saltern_states.body import Body

STOPPED = Judged(State.BAD, "kubelet.service is inactive")
LOST = Judged(State.BAD, "it does not answer: timed out", sure=False)
TRAP = Finding(trap="swap-on", what="2 GiB of swap", remedy="swapoff -a")


class Told:
    """Looks that find what a test says, and hang while it says so."""

    def __init__(self) -> None:
        self.finds: deque[Judged | Exception] = deque()
        self.hangs = threading.Event()
        self.looks, self.closed = 0, False

    def look(self, wanted: Wanted) -> Found:
        self.looks += 1
        self.hangs.wait()
        found = self.finds.popleft() if self.finds else GOOD
        if isinstance(found, Exception):
            raise found
        return (("kubelet", found),)

    def close(self) -> None:
        self.closed = True


class Stand:
    """A watch in an agent that has a document; nothing but its own threads goes on by itself."""

    def __init__(self) -> None:
        self.now, self.said, self.complaints = 1000.0, list[Condition](), list[str]()
        self.looks, self.examined = Told(), 0
        self.traps: list[tuple[Finding, ...]] = [()]
        self.looks.hangs.set()
        keeper = cast(Keeper, SimpleNamespace(body=Body()))
        self.keepers = Worker(lambda: keeper)
        clocks = Clocks(lambda: self.now, lambda: self.now, lambda: 0.0)
        self.agent = Agent(self.keepers, (), clocks, Turns(), untold(), self.complaints.append)
        self.agent.status = Status(cluster="demo", node="w1", state="converged", version=1)
        self.worker: Worker[Looks] = Worker(lambda: self.looks)
        self.watch = HealthWatch(self.agent, self.worker, "w1", "/", self.say, self.examine)
        self.keepers.start(self.agent.fail)
        self.watch.start()

    def say(self, message: Message) -> None:
        assert isinstance(message, Condition)
        self.said.append(message)

    def examine(self, _body: Body) -> tuple[Finding, ...]:
        self.examined += 1
        return self.traps[-1]

    def turn(self, after: float = 0.0) -> None:
        """Let time go by, and all that was begun end, but for a look that hangs."""
        self.now += after
        self.watch.turn(self.now, ())
        while self.keepers.waiting or (self.worker.waiting and self.looks.hangs.is_set()):
            for worker in (self.keepers, self.worker):
                if worker.waiting:
                    worker.wait()
                    worker.collect()
            self.watch.turn(self.now, ())
        self.watch.turn(self.now, ())

    @property
    def states(self) -> list[State]:
        """How the kubelet was told, each time."""
        return [one.parts[0].state for one in self.said]


@pytest.fixture
def stand() -> Iterator[Stand]:
    made = Stand()
    yield made
    made.looks.hangs.set()
    made.watch.stop()
    assert made.looks.closed
    assert made.keepers.stop(10)


def test_it_is_told_first_when_it_is_known_and_then_when_it_is_news(stand: Stand) -> None:
    assert stand.watch.condition() is None
    stand.turn()
    assert stand.states == [State.GOOD]
    for _ in range(10):
        stand.turn(EVERY)
    assert (stand.looks.looks, stand.states) == (11, [State.GOOD])
    stand.looks.finds.append(STOPPED)
    stand.turn(EVERY)
    stand.turn(EVERY)
    assert stand.states == [State.GOOD, State.BAD, State.GOOD]


def test_it_sleeps_until_something_is_due(stand: Stand) -> None:
    stand.turn()
    assert stand.watch.wait(stand.now) == pytest.approx(EVERY)
    assert stand.watch.wait(stand.now + EVERY - 1) == pytest.approx(1.0)


def test_a_lost_answer_is_asked_for_again_soon_and_told_then(stand: Stand) -> None:
    stand.turn()
    stand.looks.finds.extend((LOST, LOST))
    stand.turn(EVERY)
    assert stand.states == [State.GOOD]
    assert stand.watch.wait(stand.now) == pytest.approx(AGAIN)
    stand.turn(AGAIN)
    assert stand.states == [State.GOOD, State.BAD]


def test_an_apply_that_ended_is_looked_at_at_once_and_told_not_too_often(stand: Stand) -> None:
    stand.turn()
    for number, found in enumerate((STOPPED, GOOD, STOPPED)):
        stand.looks.finds.append(found)
        stand.agent.turns.asked = stand.agent.turns.ended = number + 1
        stand.turn(0.1)
    assert stand.looks.looks == 4
    assert stand.states == [State.GOOD]
    stand.turn(PAUSE)
    assert stand.states == [State.GOOD, State.BAD]


def test_a_look_that_hangs_makes_all_unknown_and_does_not_spin(stand: Stand) -> None:
    stand.turn()
    stand.looks.hangs.clear()
    stand.turn(EVERY)
    assert stand.watch.wait(stand.now) == pytest.approx(STUCK)
    stand.turn(STUCK)
    assert stand.states == [State.GOOD, State.UNKNOWN]
    assert "hangs" in stand.said[-1].parts[0].why
    assert stand.watch.wait(stand.now) == math.inf, "until it ends there is nothing to be done"
    stand.looks.hangs.set()
    stand.turn()
    stand.turn(PAUSE)
    assert stand.states[2:] == [State.GOOD]


def test_a_look_that_fails_is_complained_of_and_the_next_is_made(stand: Stand) -> None:
    stand.turn()
    stand.looks.finds.extend((OSError("no /proc"), OSError("no /proc")))
    stand.turn(EVERY)
    assert stand.states == [State.GOOD, State.UNKNOWN]
    assert "no /proc" in stand.complaints[0]
    stand.turn(EVERY)
    stand.turn(EVERY)
    assert stand.states == [State.GOOD, State.UNKNOWN, State.GOOD]


def test_a_watch_that_never_began_can_end() -> None:
    keepers: Worker[Keeper] = Worker(lambda: cast(Keeper, None))
    clocks = Clocks(lambda: 0.0, lambda: 0.0, lambda: 0.0)
    agent = Agent(keepers, (), clocks, Turns(), untold(), lambda _: None)
    looks: Worker[Looks] = Worker(Told)
    HealthWatch(agent, looks, "w1", "/", lambda _: None, lambda _: ()).stop()


def test_traps_are_looked_for_seldom_and_after_an_apply(stand: Stand) -> None:
    stand.turn()
    assert stand.examined == 1
    stand.traps.append((TRAP,))
    stand.turn(EVERY)
    assert (stand.examined, stand.said[-1].findings) == (1, ())
    stand.agent.turns.ended = 1
    stand.turn(EVERY)
    assert (stand.examined, stand.said[-1].findings) == (2, (TRAP,))
    stand.turn(FINDINGS_EVERY)
    assert stand.examined == 3
