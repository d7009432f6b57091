"""A real agent whose wall clock is libfaketime's (Debian: faketime), and a real master beside it.

The agent joins with a clock that is a year behind, and speaks while its clock is set by hours and
years and stopped; its monotonic clock is left alone, as the kernel would leave it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from saltern_master.api.requests import NewToken

from tests.agent.test_root import command
from tests.faults.replayed import FILE, SECONDS
from tests.master.homes import made_home
from tests.master.test_core_process import Master, running, wait

LIBRARY: Final = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
CLOCKS: Final = ("-1h", "+1h", "+1y", "-1y", "2027-01-01 00:00:00", "-0")
"""Set one after the other; a date alone stands still."""
HELD: Final = 1.0  # seconds at each
JOINED_WITH: Final = "-1y"


def faked(directory: Path) -> tuple[int, int]:
    """Have one joined, and set its clock; give how often, and how often that did harm."""
    directory.mkdir(mode=0o711)
    root, clock = directory / "node", directory / "clock"
    (root / "etc/docker").mkdir(parents=True)
    clock.write_text(JOINED_WITH)
    environment = os.environ | {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with running(made_home(directory)) as master:
        token = master.client.make_token(NewToken(node="w1", node_class="worker", seconds=60)).token
        subprocess.run(
            command(root, "join", token),
            check=True, capture_output=True, timeout=SECONDS, env=environment,
        )  # fmt: skip
        with subprocess.Popen(
            command(root, "run"), stderr=subprocess.DEVNULL, env=environment
        ) as one:
            try:
                return len(CLOCKS), _through(master, clock)
            finally:
                one.send_signal(signal.SIGTERM)
                one.wait(SECONDS)


def _through(master: Master, clock: Path) -> int:
    """Set the clock time and again; count each time that the node was not there, or not told of."""
    wait("not here", lambda: master.client.node("w1").connected)
    turn = master.client.apply(FILE.encode()).turn
    wait("not applied", lambda: master.client.turn(turn).nodes[0].result == "changed")
    wait("no alarm", lambda: _told(master))
    gone = _comings(master)
    for setting in CLOCKS:
        clock.write_text(setting)
        time.sleep(HELD)
    wait("not here at the end", lambda: master.client.node("w1").connected)
    turn = master.client.apply(FILE.replace('"{}"', '"{ }"').encode()).turn
    wait("not applied then", lambda: master.client.turn(turn).nodes[0].result == "changed")
    return _comings(master) - gone


def _comings(master: Master) -> int:
    return master.log.read_text().count("node w1 is here")


def _told(master: Master) -> bool:
    return any(one.kind == "clock" for one in master.client.status().alarms)
