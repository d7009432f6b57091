"""A run that is killed leaves a master, a lab and a HOME; the next run takes all of it away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from saltern_master.lab import state
from saltern_master.lab.fleet import wait_for

from tests.cluster.grounds import sweep

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(200, func_only=True)]

RUN = """
import sys
from dataclasses import replace
from tests.cluster.grounds import own_fleet
fleet = own_fleet(lambda line: None)
fleet = replace(fleet, nodes={"w1": fleet.nodes["w1"]})
fleet.up()
fleet.saltern("init", "--cluster", "demo")
fleet.start_master()
print(fleet.lab.name, fleet.home, flush=True)
sys.stdin.read()
"""
"""Another run: one node and a master. It stays until it is killed."""


def test_a_killed_run_leaves_nothing_for_long() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", RUN],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as run:
        assert run.stdout is not None
        try:
            name, home = run.stdout.readline().split()
            assert name not in sweep(), "a run that lives is let alone"
            assert traces(name, home).keys() == {"lab", "folder", "processes"}
        finally:
            run.kill()
    wait_for("the run to be dead", lambda: not Path(f"/proc/{run.pid}").exists(), 10)
    assert traces(name, home).keys() == {"lab", "folder", "processes"}
    assert name in sweep()
    assert traces(name, home) == {}
    assert name not in sweep()


def traces(name: str, home: str) -> dict[str, object]:
    """Give all on this machine that bears a run's name: as record, directory, process."""
    found = {
        "lab": [one for one in state.names() if one == name],
        "folder": [one for one in (Path(home).parent,) if one.exists()],
        "processes": [pid for pid in Path("/proc").glob("[0-9]*") if bears(pid, name)],
    }
    return {kind: what for kind, what in found.items() if what}


def bears(process: Path, name: str) -> bool:
    """Tell whether a process lives that has a name in its words or in its environment."""
    try:
        words = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
    except OSError:
        return False
    return name.encode() in words
