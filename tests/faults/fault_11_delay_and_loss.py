"""Fault 11: each packet is late by 200 ms, 100 more or less, each way; every twentieth is lost.

A round is an apply that changes a file on each node and, at the same time, an edit of another file
on each. Acknowledged is what the master has committed: the time is from the node's own record of
the drift to the master's store. One machine's clock has written both.
"""

from __future__ import annotations

import random
from typing import Final

from saltern_master.api.service import TurnNode

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.far_crowd import FarCrowd, far_crowd, until
from tests.faults.fleet import percentile
from tests.faults.wire import Weather

NODES: Final = 3
PATIENCE: Final = 60.0  # seconds for a round
WEATHER: Final = Weather(delay=0.2, jitter=0.1, loss=0.05)


def run(trial: Trial) -> Seen:
    """Go through the rounds."""
    chance, applies, words = random.Random(trial.seed), 0, list[float]()
    with far_crowd(trial.directory, NODES) as crowd:
        crowd.ends.be(WEATHER)
        for number in range(trial.rounds):
            good, took = _round(crowd, f"{number} {chance.randrange(2**32)}")
            applies += good
            words.append(took)
            trial.say(f"round {number}: {good} of {NODES} in {took:.1f} s")
        found = [one for name in crowd.names for one in crowd.drift(name)]
        acks = [one.stored - one.recorded for one in found]
    wanted = trial.rounds * NODES
    return Seen(
        trial.rounds,
        (
            Figure("applies that failed", wanted - applies),
            Figure("edits that the master does not know of", max(0, wanted - len(found))),
            Figure("from record to store, p99", percentile(acks, 0.99), 5, "s"),
        ),
        how="a wire of two TUN devices and a process, for want of netem; each way so late; "
        f"a whole round at most {max(words):.1f} s",
    )


def _round(crowd: FarCrowd, word: str) -> tuple[int, float]:
    """Apply and edit; gives how many nodes came to the end, and the seconds to the last."""
    turn = crowd.begin_apply(word)
    for name in crowd.names:
        crowd.damage(name, word)
    known = {name: len(crowd.drift(name)) for name in crowd.names}

    def all_over() -> bool:
        told = all(_ended(one) for one in crowd.client.turn(turn).nodes)
        return told and all(_is_told(crowd, name, known[name]) for name in crowd.names)

    took = until("a round", all_over, PATIENCE)
    ended = crowd.client.turn(turn).nodes
    return sum(one.result == "changed" for one in ended), took


def _is_told(crowd: FarCrowd, name: str, before: int) -> bool:
    """Say whether the edit has come to the master's store, and its end too."""
    drift = crowd.drift(name)
    return len(drift) >= before and bool(drift) and all(one.healed for one in drift)


def _ended(one: TurnNode) -> bool:
    return one.result in ("changed", "converged", "failed", "blocked", "refused")


FAULT = Fault(
    number=11,
    what="packets late by 200 +- 100 ms, 5 % lost",
    short=2,
    full=100,
    run=run,
    alone=True,
)
