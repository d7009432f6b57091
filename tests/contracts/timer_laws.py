"""The laws of the timer that has changes taken back: each test is run on the fake and on systemd's.

A test file imports these names and has a fixture `timer`.
"""

from __future__ import annotations

from saltern_agent.trying import Timer


def test_what_was_started_runs(timer: Timer) -> None:
    assert not timer.runs()
    timer.start()
    assert timer.runs()


def test_starting_it_again_leaves_the_one_that_runs(timer: Timer) -> None:
    timer.start()
    timer.start()
    assert timer.runs()


def test_what_was_stopped_runs_no_more_and_can_be_started_again(timer: Timer) -> None:
    timer.start()
    timer.stop()
    assert not timer.runs()
    timer.start()
    assert timer.runs()


def test_stopping_what_does_not_run_is_nothing(timer: Timer) -> None:
    timer.stop()
    assert not timer.runs()
