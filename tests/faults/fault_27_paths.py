"""Fault 27, names: hostile ones through everything that makes a path, with the kernel's witness.

What is opened is told by strace, and what stands outside of the root is compared before and after.
"""

from __future__ import annotations

import json
import sys

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.hostile_ground import HostileGround, canaries
from tests.faults.path_watch import outside, watched

SECONDS = 20.0  # and a tenth for each name


def run(trial: Trial) -> Seen:
    """Try the seeds that once failed, then a new one."""
    tried, wrong, changed, strange, longest = 0, 0, 0, 0, 0.0
    share = trial.rounds // (len(trial.seeds) + 1) + 1
    for number, seed in enumerate((*trial.seeds, trial.seed)):
        directory = trial.directory / str(number)
        ground = HostileGround(directory)
        before = canaries(ground.outside, ground.cwd)
        worker = [sys.executable, "-m", "tests.faults.path_worker"]
        log = trial.directory / f"{number}.strace"
        said = watched(
            [*worker, str(directory), str(seed), str(share)], log, ground.cwd, SECONDS + share / 10
        )
        told = json.loads(said)
        calls, found = outside(log, (ground.node, ground.state))
        for line in (*found[:: max(1, len(found) // 12)], *told["strange"][:5]):
            trial.say(f"seed {seed}: {line}")
        assert calls > told["tried"], "strace saw nothing"
        tried += told["tried"]
        wrong += len(found)
        changed += len(set(before.items()) ^ set(canaries(ground.outside, ground.cwd).items()))
        strange += len(told["strange"])
        longest = max(longest, told["longest"])
    figures = (
        Figure("opens outside the root", wrong),
        Figure("changes outside of it", changed),
        Figure("answers that are no refusal of ours", strange),
        Figure("longest call", longest, 1, "s"),
    )
    return Seen(tried, figures, "each open as strace saw it")


FAULT = Fault(
    number=27,
    what="hostile names in every path",
    short=75,
    full=5000,
    run=run,
)
