"""The doctor, who looks every few minutes, closes what it asks with: a real bus, a real kernel."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltern_agent.doctor.declared import declared
from saltern_agent.doctor.look import look

from tests.open_descriptors import uncollected
from tests.system.event_bus import running_bus

pytestmark = pytest.mark.system

LOOKS = 5


def test_looks_leave_nothing_open(tmp_path: Path) -> None:
    counts = []
    with running_bus(tmp_path) as bus, uncollected():
        for _ in range(1 + LOOKS):  # the first imports, and so may open what stays
            seen = look(declared(None), 1.0, tmp_path, bus.path)
            counts.append(len(os.listdir("/proc/self/fd")))
    assert any("systemd says" in one for one in seen.unseen), "the bus was not asked"
    assert counts[1:] == counts[:1] * LOOKS
