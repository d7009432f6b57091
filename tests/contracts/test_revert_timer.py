"""The laws of the timer, on the fake. tests/lab/test_cut_off.py runs them on a booted node."""

from __future__ import annotations

import pytest

from tests.agent.fake_timer import FakeTimer
from tests.contracts.timer_laws import *  # noqa: F403  # each of its tests is one of ours


@pytest.fixture
def timer() -> FakeTimer:
    return FakeTimer()
