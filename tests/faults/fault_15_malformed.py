"""Fault 15: malformed input, at every decoder: a seeded byte mutator over golden inputs.

Each decoder has a process of its own, so that its memory can be told (decoding.py). What once ended
with an error that nobody may see is tried first, and stands in SEEN_BEFORE with what it was.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import msgspec

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.decoders import every_decoder
from tests.faults.decoding import Count, Tried

SECONDS: Final = 3600
MOST_GROWTH: Final = 64.0  # MiB
MOST_LEAK: Final = 1.0

SEEN_BEFORE: Final[tuple[tuple[str, bytes], ...]] = (
    # text that is no UTF-8 where JSON has a string: not msgspec's own error, so it went unseen
    ("a question to the agent", b'{"ask":"pl\xd9n"}'),
    ("a request to the API", b'POST /v1/nodes/w1/approve\n{"finger\xafprint": "0123-4567"}'),
    # an address that began like one: the pattern had no end
    ("a cluster file", b"nodes:\n- {name: w1, address: 10.9.0.21.0.21.0.21}\n"),
)


def run(trial: Trial) -> Seen:
    """Try every decoder; `rounds` inputs for each of the wire's."""
    uncaught = _seen_before(trial)
    worker = trial.directory / "worker"
    worker.mkdir()
    command = [sys.executable, "-m", "tests.faults.decoding", str(worker)]
    command += [str(trial.seed), str(trial.rounds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode != 0:
        raise AssertionError(f"seed {trial.seed}: {done.stderr[-2000:]}")
    told = [msgspec.json.decode(line, type=Tried) for line in done.stdout.splitlines()]
    for one in told:
        if one.uncaught:
            trial.say(f"{one.name}: {one.error.strip()} of {one.first}")
        if max(one.peak / MOST_GROWTH, one.leak / MOST_LEAK) > 1024:
            trial.say(f"{one.name}: it grew by {one.peak} KiB, and kept {one.leak}")
    wire = [one for one in told if one.share == 100]
    others = sum(one.inputs for one in told if one.share != 100)
    return Seen(
        min(one.inputs for one in wire),
        (
            Figure("errors that nobody may see", uncaught + sum(one.uncaught for one in told)),
            Figure("peak growth", max(one.peak for one in told) / 1024, MOST_GROWTH, "MiB"),
            Figure("leak", max(one.leak for one in told) / 1024, MOST_LEAK, "MiB"),
        ),
        how=f"so many for each of {len(wire)} decoders of the wire, and {others} for the "
        f"{len(told) - len(wire)} others, which check a signature or read what a person wrote",
    )


def _seen_before(trial: Trial) -> int:
    """Try what once failed; an input of which no decoder has the name any more is a fault too."""
    home = Path(trial.directory / "before")
    home.mkdir()
    table, uncaught = every_decoder(home), 0
    for name, data in SEEN_BEFORE:
        count = Count()
        count.put(table[name], data)
        uncaught += count.uncaught
        if count.error:
            trial.say(f"{name}: {count.error.strip()} of {data!r}")
    return uncaught


FAULT = Fault(
    number=15,
    what="malformed input, at every decoder",
    short=3_000,
    full=1_000_000,
    run=run,
)
