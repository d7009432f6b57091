"""A change is proved by a lease over a connection that is newer than it, and by no other."""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import dataclass, field

import pytest
from saltern_agent.confirm import Proof, Window
from saltern_agent.keeper import Keeper
from saltern_agent.link import words
from saltern_agent.link.pace import MOST_STAGGER, stagger
from saltern_agent.link.proving import QUIET, ProvingLink
from saltern_agent.loop import Agent, Clocks, Turns
from saltern_agent.status import LinkStatus
from saltern_agent.supervised import untold
from saltern_agent.worker import Worker
from saltern_protocol import messages

from tests.agent.talk import Talk, lease


@dataclass
class Line:
    """A link whose connections come and go as a test says."""

    opened: int = 1
    leased: int = 1
    asking: bool = False
    left: int = 0

    def start(self) -> None:
        """Nothing."""

    def filenos(self) -> tuple[int, ...]:
        return ()

    def wait(self, _monotonic: float) -> float:
        return math.inf

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Nothing."""

    def status(self) -> LinkStatus | None:
        return None

    def stop(self) -> None:
        """Nothing."""

    def anew(self) -> None:
        self.left, self.leased = self.left + 1, 0
        self.opened += 1

    def issue(self, resource: str, csr: bytes) -> bytes:
        return csr + resource.encode()

    def unreached(self) -> str:
        return "" if self.leased else "away"


def _never() -> Keeper:
    raise AssertionError("the worker of this agent is not started")


@dataclass
class Stand:
    """A link that proves, over a line, in an agent whose worker only gathers jobs."""

    now: float = 100.0
    line: Line = field(default_factory=Line)
    proof: Proof = field(default_factory=Proof)

    def __post_init__(self) -> None:
        clocks = Clocks(lambda: self.now, lambda: self.now, lambda: 0.0)
        self.worker: Worker[Keeper] = Worker(_never)
        agent = Agent(self.worker, (), clocks, Turns(), untold(), print)
        self.link = ProvingLink(self.line, agent, self.proof)

    def turn(self, after: float = 0.0) -> None:
        self.now += after
        self.link.turn(self.now, ())

    def connected(self) -> None:
        self.line.leased = self.line.opened
        self.turn()


@pytest.fixture
def stand() -> Stand:
    return Stand()


def test_at_the_end_of_an_apply_the_connection_is_left_and_the_next_one_proves(
    stand: Stand,
) -> None:
    stand.link.opened(Window(1, 160.0, at_once=True))
    assert stand.link.wait(stand.now) == 0
    stand.turn()
    assert (stand.line.left, stand.proof.number) == (1, 0)
    stand.connected()
    assert (stand.proof.number, stand.worker.waiting) == (1, 1)
    assert stand.link.wait(stand.now) == math.inf


def test_a_lease_over_the_old_connection_proves_nothing(stand: Stand) -> None:
    stand.link.opened(Window(1, 160.0, at_once=False))
    stand.turn(1)
    assert (stand.line.left, stand.proof.number) == (0, 0)


def test_while_an_apply_goes_on_it_is_left_when_nothing_more_came(stand: Stand) -> None:
    stand.link.opened(Window(1, 160.0, at_once=False))
    stand.turn(QUIET - 1)
    stand.link.opened(Window(2, 174.0, at_once=False))
    stand.turn(QUIET - 1)
    assert stand.line.left == 0
    stand.turn(1)
    assert stand.line.left == 1
    stand.connected()
    assert stand.proof.number == 2


def test_a_change_after_a_new_connection_wants_a_newer_one(stand: Stand) -> None:
    stand.link.opened(Window(1, 160.0, at_once=True))
    stand.turn()
    stand.link.opened(Window(2, 161.0, at_once=True))
    stand.connected()
    assert stand.proof.number == 0
    assert stand.line.left == 2
    stand.connected()
    assert stand.proof.number == 2


def test_a_connection_that_was_lost_by_itself_is_as_good(stand: Stand) -> None:
    stand.link.opened(Window(1, 160.0, at_once=False))
    stand.line.opened = 2
    stand.connected()
    assert (stand.line.left, stand.proof.number) == (0, 1)


def test_who_waits_for_a_certificate_is_not_left(stand: Stand) -> None:
    stand.line.asking = True
    stand.link.opened(Window(1, 160.0, at_once=True))
    stand.turn()
    assert stand.line.left == 0
    stand.line.asking = False
    stand.turn(1)
    assert stand.line.left == 1


def test_when_the_time_is_over_the_worker_is_told_once(stand: Stand) -> None:
    stand.link.opened(Window(1, 160.0, at_once=True))
    stand.turn()
    stand.turn(61)
    stand.turn(1)
    assert (stand.worker.waiting, stand.proof.number) == (1, 0)


def test_what_was_taken_back_may_have_been_the_hindrance_so_it_connects_at_once(
    stand: Stand,
) -> None:
    stand.link.opened(Window(1, 160.0, at_once=True))
    stand.turn()
    stand.link.opened(None)
    assert stand.line.left == 2


def test_a_session_leaves_its_connection_and_opens_the_next_at_once() -> None:
    talk = Talk()
    talk.connect()
    assert talk.give(words.Anew(), 5) == (words.Close(),)
    assert talk.session.due() == talk.now
    assert talk.give(words.Tick()) == (words.Open(),)
    talk.give(words.Opened(), 0.1)
    talk.say(lease(0, talk.nonce), 0.1)
    assert talk.session.state == "up"


def test_where_thousands_do_so_they_spread() -> None:
    assert stagger(1.0, 0) == stagger(1.0, 1) == 0
    assert stagger(0.5, 11) == 5
    assert stagger(1.0, messages.MOST_SPREAD) == MOST_STAGGER
