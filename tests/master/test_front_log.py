"""The front's log: what is left out is counted, and a full disk ends nothing."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from saltern_master.front.log import LINES, Log


def test_over_its_rate_lines_are_left_out_and_counted() -> None:
    to, now = io.StringIO(), [0.0]
    log = Log(to, lambda: now[0])
    for number in range(int(LINES.burst) + 7):
        log.say(f"line {number}\x1b")
    now[0] = 10.0
    log.say("later")
    said = to.getvalue().splitlines()

    assert len(said) == LINES.burst + 1
    assert said[-1] == "front: later (7 lines left out before)"
    assert all(line.isprintable() for line in said)


SPEAK = """
import sys, time
from saltern_master.front.log import Log
log = Log(sys.stderr, time.monotonic)
for number in range(300):
    log.say(f"line {number}")
print("still here", flush=True)
"""


def test_a_log_whose_disk_is_full_ends_no_front() -> None:
    """/dev/full answers every write with ENOSPC (full(4))."""
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", SPEAK], stdout=subprocess.PIPE, stderr=full, timeout=50
        )

    assert done.stdout == b"still here\n"
