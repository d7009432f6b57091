"""A real master and a real agent: held, drift is told and left; then it is healed."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from saltern_master.api.client import Client
from saltern_master.api.drift_requests import DriftQuery
from saltern_master.api.holds import HoldAsk, ReleaseAsk
from saltern_master.api.service import DriftView

from tests.master.homes import made_home
from tests.master.test_core_process import running, wait
from tests.master.test_plan_end_to_end import NAMES, agent, cluster_file, ended

ENFORCED = cluster_file("one").replace("{mode: report}", "{mode: enforce}")
WINDOW = 'maintenance: [{name: always, days: %s, from: "%s", to: "%s", why: patches}]\n'


def newest(client: Client) -> DriftView | None:
    """Give the newest drift that was told."""
    return next(iter(client.drift(DriftQuery())), None)


def window_now() -> str:
    """Give a window that is open now and for some hours more: it began on this day or the last."""
    hour = time.gmtime().tm_hour
    return WINDOW % ("daily", f"{(hour - 2) % 24:02}:00", f"{(hour + 4) % 24:02}:00")


@pytest.mark.timeout(120)
def test_a_held_nodes_drift_is_told_and_left_and_healed_when_it_is_released(
    tmp_path: Path,
) -> None:
    home, name = made_home(tmp_path), NAMES[0]
    with running(home) as master, agent(master.client, name, tmp_path / name) as file:
        client = master.client
        wait("it is here", lambda: any(one.connected for one in client.status().nodes))
        turn = client.apply(ENFORCED.encode())
        assert ended(client, turn)[name] == "changed"

        began = time.monotonic()
        (held,) = client.hold(HoldAsk(nodes=(name,), seconds=600, why="a new disk", by="ann"))
        assert held.in_force
        assert time.monotonic() - began < 1
        wait("the agent says so itself", lambda: _says_held(tmp_path / name, "ann"))

        file.write_text("somebody's own\n")
        wait("it is told", lambda: newest(client) is not None)
        told = newest(client)
        assert told is not None
        assert (told.nature, told.healed) == ("intended", 0.0)
        assert told.hindrance.startswith("held until ")
        assert "ann" in told.hindrance
        assert file.read_text() == "somebody's own\n"

        (gone,) = client.release(ReleaseAsk(nodes=name))
        assert (gone.connected, gone.in_force) == (True, False)
        wait("it is healed", lambda: file.read_text() == "one\n")
        wait("that is told", lambda: (one := newest(client)) is not None and one.healed > 0)

        client.apply((ENFORCED + window_now()).encode())
        wait("a window holds it", lambda: _is_held(client, name))
        wait("the agent says so itself", lambda: _says_held(tmp_path / name, "window always"))
        file.write_text("again\n")
        wait("it is told", lambda: (one := newest(client)) is not None and not one.healed)
        again = newest(client)
        assert again is not None
        assert "window always" in again.hindrance
        assert file.read_text() == "again\n"
        client.apply(ENFORCED.encode())
        wait("the window is gone, and it is healed", lambda: file.read_text() == "one\n")


def _is_held(client: Client, name: str) -> bool:
    hold = client.node(name).hold
    return hold is not None and hold.in_force


def _says_held(root: Path, by: str) -> bool:
    """Ask the running agent. It was given its lease before, and may be about to read it."""
    words = [sys.executable, "-m", "saltern_agent", "--root", str(root), "status"]
    done = subprocess.run(
        [*words, "--output", "json"], capture_output=True, text=True, timeout=50, check=False
    )
    hold = json.loads(done.stdout)["status"]["hold"]
    return hold is not None and hold["by"] == by
