"""Real agents and a master whose disk takes nothing for a while: their outboxes drain afterwards.

The limit of a file's size of core's process stands for the disk's end: the kernel refuses the write
alike. It can be set and lifted while the master runs.
"""

from __future__ import annotations

import json
import resource
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from saltern_master.api.drift_requests import DriftQuery
from saltern_master.bench.crowd.body import FILES, cluster_file
from saltern_master.bench.crowd.crowd import PROGRAMS, Crowd

from tests.faults.real_master import wait_for

SIZE = 2
DRIFTS = 3
DRAINED = 150.0  # an agent gives a connection up after 45 s without an answer, and pauses


@dataclass(frozen=True, slots=True)
class Drained:
    """What came of it."""

    left: int  # items in outboxes
    missing: int  # drifts that the master does not know
    seconds: float


def agents_drain(folder: Path) -> Drained:
    """Let agents find drift while their master can keep nothing, and then can."""
    crowd = Crowd(folder, SIZE)
    try:
        crowd.start_master()
        crowd.join()
        crowd.apply(cluster_file(crowd.names, "as it shall be"))
        core, _ = crowd.processes()
        _, hard = resource.prlimit(core, resource.RLIMIT_FSIZE)
        resource.prlimit(core, resource.RLIMIT_FSIZE, (1, hard))
        for name in crowd.names:
            for path in FILES[:DRIFTS]:
                (folder / name / "root" / path[1:]).write_text("another's")
        wait_for("agents have something to tell", lambda: all(map(_waiting, _all(crowd))))
        resource.prlimit(core, resource.RLIMIT_FSIZE, (hard, hard))
        began = time.monotonic()
        with suppress(AssertionError):
            wait_for("all is told", lambda: not any(map(_waiting, _all(crowd))), DRAINED)
        told = crowd.client.drift(DriftQuery(most=1000))
        known = {(one.node, one.resource) for one in told}
        return Drained(
            left=sum(map(_waiting, _all(crowd))),
            missing=SIZE * DRIFTS - len(known),
            seconds=time.monotonic() - began,
        )
    finally:
        crowd.close()


def _all(crowd: Crowd) -> list[Path]:
    return [crowd.folder / name for name in crowd.names]


def _waiting(own: Path) -> int:
    """Ask an agent how much waits to be acknowledged."""
    places = [f"--{one}={own / one}" for one in ("config", "state", "run", "root")]
    argv = [str(PROGRAMS / "saltern-agent"), *places, "status", "--output", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=True)
    return int(json.loads(done.stdout)["link"]["unacked"])
