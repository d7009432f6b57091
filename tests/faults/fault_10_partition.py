"""Fault 10: no way between nodes and their master, or only one; for a minute, ten, an hour.

* Real agents, a real master and the kernel's TCP: the wire between them is cut for real seconds,
  while files are edited on the nodes and the master is given another cluster file.
* Cuts that last go in virtual time (severed.py), with the machines, journal and store themselves.

Lost acknowledged is what a node was told to be stored and is not; what the master answered to an
apply and some node never heard of; an edit that never came to the store.
"""

from __future__ import annotations

import random
import shutil
from pathlib import Path
from typing import Final

from saltern_master.records.reports import hold_reported

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.far_crowd import FarCrowd, far_crowd, until
from tests.faults.fault_12_reordered import unequal
from tests.faults.fleet import percentile
from tests.faults.severed import WAYS, Severed
from tests.faults.talk_master import INCARNATION, Stage
from tests.faults.wire import Weather

NODES: Final = 2
PATIENCE: Final = 900.0  # virtual seconds after the cut
REAL_PATIENCE: Final = 120.0
MINUTES: Final = (1.0, 10.0, 60.0)
SHORT_CUTS: Final = (0.5,)  # seconds, for real, each way
LONG_CUTS: Final = (5.0, 60.0)
LONG: Final = 30  # rounds from which on the long cuts are made for real
CUT: Final = {
    WAYS[0]: Weather(to_far=False, to_near=False),
    WAYS[1]: Weather(to_near=False),
    WAYS[2]: Weather(to_far=False),
}


def run(trial: Trial) -> Seen:
    """Make the cuts, real and virtual."""
    chance = random.Random(trial.seed)
    seconds = LONG_CUTS if trial.rounds >= LONG else SHORT_CUTS
    real_lost, real_took = _real(trial, seconds, chance)
    stage = Stage.make(trial.directory)
    lost, took = 0, list[float]()
    seeds = [*trial.seeds, *(chance.randrange(2**32) for _ in range(trial.rounds))]
    for number, seed in enumerate(seeds):
        way, minutes = WAYS[number % 3], MINUTES[number // 3 % 3]
        missing, after = _severed(stage, trial.directory / str(number), seed, way, minutes)
        lost += missing
        took.append(after)
        if missing or after > PATIENCE:
            trial.say(f"seed {seed}: {way}, {minutes:g} min: {missing} lost, {after:.0f} s")
    return Seen(
        len(seeds),
        (
            Figure("lost acknowledged", lost + real_lost),
            Figure("to all healthy after the cut, p99", percentile(took, 0.99), 60, "s"),
            Figure("the same of real agents, longest", max(real_took), 60, "s"),
        ),
        how=f"cuts of {', '.join(f'{one:g}' for one in seconds)} s for real, each way and both, on "
        "a wire of two TUN devices; those of 1, 10 and 60 min in virtual time",
    )


def _real(
    trial: Trial, seconds: tuple[float, ...], chance: random.Random
) -> tuple[int, list[float]]:
    lost, took = 0, []
    folder = trial.directory / "crowd"
    folder.mkdir()
    with far_crowd(folder, NODES) as crowd:
        edits = 0
        for cut in seconds:
            for way, weather in CUT.items():
                edits += 1
                missing, after = _cut(crowd, weather, cut, f"{edits} {chance.randrange(2**32)}")
                lost += missing
                took.append(after)
                trial.say(f"{way}, {cut:g} s for real: all healthy after {after:.1f} s")
        for name in crowd.names:
            lost += max(0, edits - len(crowd.drift(name)))
    return lost, took


def _cut(crowd: FarCrowd, weather: Weather, seconds: float, word: str) -> tuple[int, float]:
    """Cut, edit, apply, heal; gives how many nodes never heard of it, and the seconds it took."""
    crowd.ends.be(weather)
    known = {name: len(crowd.drift(name)) for name in crowd.names}
    for name in crowd.names:
        crowd.damage(name, word)
    healed = until("the nodes to heal", lambda: all(map(crowd.healed, crowd.names)), REAL_PATIENCE)
    crowd.begin_apply(word)
    version = crowd.version()
    until("the cut's end", lambda: False, max(0.0, seconds - healed))
    crowd.ends.be(Weather())

    def is_healthy() -> bool:
        told = all(len(crowd.drift(name)) > known[name] for name in crowd.names)
        return told and crowd.healthy(version)

    after = until("all to be healthy", is_healthy, REAL_PATIENCE)
    missed = sum(one.version < version for one in crowd.client.status().nodes)
    return missed, after


def _severed(
    stage: Stage, directory: Path, seed: int, way: str, minutes: float
) -> tuple[int, float]:
    """Have a conversation with a cut; gives what was lost, and the seconds until all was well."""
    held = Severed(stage, directory, seed, way, minutes)
    lost = 0

    def acked(seq: int) -> None:
        nonlocal lost
        known = hold_reported(held.master.store, "w1", INCARNATION).value
        lost += max(0, seq - known.seq) if known is not None else 1

    held.agent.acked = acked
    try:
        held.plan()
        good = held.run(PATIENCE)
        lost += unequal(held.agent.outbox.items, held.master.store)
        return lost, held.ether.now - held.healed if good else float("inf")
    finally:
        held.close()
        shutil.rmtree(directory)


FAULT = Fault(
    number=10,
    what="no way to the master, or one way only, for 1, 10 and 60 min",
    short=9,
    full=180,
    run=run,
)
