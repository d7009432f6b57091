"""A master that was stopped, or slept: what its nodes did meanwhile it has yet to hear, and none of
them is declared gone for a time in which nobody listened."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.core.awake import LATE, TICK, Awake
from saltern_master.signing.home import Home

from tests.master.clusters import SMALL
from tests.master.front_stand import many_lines
from tests.master.homes import made_home
from tests.master.test_core_clock import HOUR, NOW, Waited
from tests.master.test_core_process import joined, results, running, took, wait

STOPPED = 8.0
"""Seconds: longer than LATE, and than the grace of a node that is not connected."""

STEPS = st.floats(0, 1000, allow_nan=False).filter(lambda step: abs(step - LATE) > 1e-3)


class Steady:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(STEPS, max_size=50))
def test_the_clock_goes_on_while_core_runs_and_stands_while_it_does_not(steps: list[float]) -> None:
    steady, said = Steady(), list[str]()
    awake = Awake(steady, said.append)
    before = awake()
    for step in steps:
        steady.now += step
        now = awake()
        went_by = now - before
        assert went_by == pytest.approx(TICK if step > LATE else step, abs=1e-6)
        before = now
    assert len(said) == sum(step > LATE for step in steps)


def test_who_heeds_is_told_before_the_time_is_given() -> None:
    steady, told = Steady(), list[float]()
    awake = Awake(steady, lambda _: None)
    awake.heed(lambda: told.append(awake()))
    steady.now += HOUR

    now = awake()
    assert told == [now] == [50.0 + TICK]


@pytest.mark.parametrize("stopped", [60.0, HOUR, 24 * HOUR])
def test_the_time_in_which_core_stood_still_ends_nothing(stopped: float) -> None:
    waited = Waited()
    awake = Awake(lambda: waited.clocks.steady, waited.said.append)
    waited.patience = waited.patience_by(awake)
    awake.heed(waited.patience.notice)
    for _ in range(3):
        waited.clocks.pass_(1.0)
        awake()
    waited.clocks.pass_(stopped)

    assert waited.results() == {"here": "waiting", "gone": "waiting"}
    assert waited.known.gone["gone"] > waited.clocks.wall - 5.0
    for _ in range(27):  # those who are gone get RETURN and the grace, counted anew at most
        waited.clocks.pass_(1.0)
        awake()
    assert waited.results() == {"here": "waiting", "gone": "unreachable"}


def test_whoever_asks_first_who_is_gone_sees_the_time_taken_off() -> None:
    waited = Waited()
    awake = Awake(lambda: waited.clocks.steady, waited.said.append)
    waited.patience = waited.patience_by(awake)
    awake.heed(waited.patience.notice)
    waited.clocks.pass_(HOUR)

    awake()  # as a rollout's driver does
    assert waited.known.gone["gone"] > NOW + HOUR - 5.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    tmp_path.chmod(0o711)
    return made_home(tmp_path)


def test_a_core_that_was_stopped_gives_no_node_up(home: Home) -> None:
    with running(home) as master, many_lines() as lines:
        node = joined(master, lines)
        turn = master.client.apply(SMALL.encode())
        os.kill(master.process.pid, signal.SIGSTOP)
        try:
            until = time.monotonic() + STOPPED
            wait("it stands", lambda: time.monotonic() > until)
        finally:
            os.kill(master.process.pid, signal.SIGCONT)

        assert results(master, turn.turn) == {"w1": "waiting"}
        took(node.connect())
        assert results(master, turn.turn) == {"w1": "changed"}
        assert "this master stood still for" in master.log.read_text()
