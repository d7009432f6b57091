"""Fault 9: clocks that are set by an hour or a year, forward or back, or stand still.

Both the node's wall clock and the master's are set, 50 times in a conversation (clocked.py); the
clocks that measure are monotonic and go on. The full form also runs a real agent under libfaketime.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random
from typing import Final

from tests.faults.clocked import Clocked, Wrong
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.faked_time import LIBRARY, faked
from tests.faults.talk_master import Stage

STEPS: Final = 50
MEMORY: Final = Path("/dev/shm")
MANY: Final = 500
"""Rounds from which on a real process is tried too: it takes some seconds."""


def run(trial: Trial) -> Seen:
    """Set clocks so many times."""
    chance = Random(trial.seed)
    wrong, steps = Wrong(), 0
    above = MEMORY if MEMORY.is_dir() else trial.directory
    with tempfile.TemporaryDirectory(prefix="saltern-fault-9-", dir=above) as ground:
        stage = Stage.make(Path(ground))
        seeds = [*trial.seeds, *(chance.randrange(2**32) for _ in range(-(-trial.rounds // STEPS)))]
        for seed in seeds:
            one = Clocked(stage, Path(ground) / str(seed), seed)
            try:
                found = one.go(STEPS)
            finally:
                one.close()
            if found.total:
                trial.say(f"seed {seed}: {found}")
            wrong.add(found)
            steps += one.steps
    how = "an injected clock, through the real machines of both sides"
    failed = 0
    if trial.rounds >= MANY and LIBRARY.exists():
        tried, failed = faked(trial.directory / "faked")
        how += (
            f"; a real agent that joins and speaks under libfaketime, its clock set {tried} times"
        )
        steps += tried
    return Seen(
        steps,
        (
            Figure("wrongly accepted", wrong.accepted),
            Figure("leases wrongly believed", wrong.believed),
            Figure("leases wrongly expired", wrong.expired),
            Figure("turns that ended for it", wrong.given_up),
            Figure("wrong clocks not told", wrong.untold),
            Figure("not well once clocks were right", wrong.stuck + failed),
        ),
        how=how,
    )


FAULT = Fault(
    number=9,
    what="clocks set by an hour, by a year, and stopped",
    short=200,
    full=5_000,
    run=run,
    seeds=(
        4006772705,  # two slow applies were in hand in the end: it was not waited for both
        4089308666,  # a blob that an earlier offer had brought was waited for in vain
    ),
)
