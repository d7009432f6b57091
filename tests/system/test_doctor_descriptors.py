"""The doctor, who looks every few minutes, closes what it asks with: a real bus, a real kernel."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_agent.doctor.declared import declared
from saltern_agent.doctor.look import look

from tests.system.event_bus import RunningBus

pytestmark = pytest.mark.system

LOOKS = 5


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[RunningBus]:
    bus = RunningBus(tmp_path)
    bus.start()
    yield bus
    bus.stop()


@pytest.fixture
def uncollected() -> Iterator[None]:
    """Have no garbage collected: what is closed by that alone may stay open for hours."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("uncollected")
def test_looks_leave_nothing_open(tmp_path: Path, bus: RunningBus) -> None:
    counts = []
    for _ in range(1 + LOOKS):  # the first imports, and so may open what stays
        seen = look(declared(None), 1.0, tmp_path, bus.path)
        counts.append(len(os.listdir("/proc/self/fd")))
    assert any("systemd says" in one for one in seen.unseen), "the bus was not asked"
    assert counts[1:] == counts[:1] * LOOKS
