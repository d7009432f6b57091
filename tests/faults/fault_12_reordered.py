"""Fault 12: application messages dropped, doubled and reordered, by a proxy above CURVE.

Each seed is a whole conversation (talking.py): one to three documents, somebody who edits the file
they declare, a certificate; faults for one to three minutes of virtual time, then none. What the
node's journal wrote is compared with what stands in the master's store.
"""

from __future__ import annotations

import multiprocessing
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from saltern_master.records.codec import every
from saltern_master.records.drift import Drift
from saltern_master.records.reports import every_result, hold_reported
from saltern_master.store import Store
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Item

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.talk_master import INCARNATION, Stage
from tests.faults.talking import Conversation

PATIENCE: Final = 900.0  # virtual seconds after the last fault
WORKERS: Final = 2
MEMORY: Final = Path("/dev/shm")
"""Where there is one, SQLite's files are there: power cuts are other faults' business."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one conversation came to."""

    seed: int
    effects: int  # the most of any document
    rows: int  # the most of any report's item
    lost: int  # items that were acknowledged and are not in the store
    unequal: int  # items that stand otherwise in the store than in the journal
    converged: bool
    faults: int

    @property
    def bad(self) -> bool:
        return (
            not self.converged or max(self.effects, self.rows) > 1 or self.lost + self.unequal > 0
        )


def converse(stage: Stage, directory: Path, seed: int) -> Verdict:
    """Have one conversation, and judge it."""
    held = Conversation(stage, directory / str(seed), seed)
    lost = 0

    def acked(seq: int) -> None:
        nonlocal lost
        known = hold_reported(held.master.store, "w1", INCARNATION).value
        lost += max(0, seq - known.seq) if known is not None else 1

    held.agent.acked = acked
    try:
        held.plan()
        converged = held.run(PATIENCE)
        items, store = held.agent.outbox.items, held.master.store
        return Verdict(
            seed=seed,
            effects=max(held.agent.effects.made.values(), default=0),
            rows=_most_rows(store),
            lost=lost,
            unequal=unequal(items, store),
            converged=converged and held.agent.given == {1: 1},
            faults=held.proxy.done.total(),
        )
    finally:
        held.close()
        shutil.rmtree(directory / str(seed))


def _most_rows(store: Store) -> int:
    rows = Counter((one.incarnation, one.number) for one in every(store, "drift/", Drift))
    return max(rows.values(), default=0)


def unequal(items: dict[int, Item], store: Store) -> int:
    """Count what the node wrote down and the store has not, or not so."""
    drift = {one.number: one for one in every(store, "drift/w1/", Drift)}
    last: dict[int, DriftSeen | DriftEnded | Applied] = {}
    result: Applied | None = None
    for number in sorted(items):
        item = items[number]
        if isinstance(item, Applied):
            result = item
        else:
            last[item.number] = item
    wrong = sum(not _is_kept(item, drift.get(number)) for number, item in last.items())
    wrong += len(drift.keys() - last.keys())
    kept = [(one.version, one.turn, one.outcome) for one in every_result(store)]
    told = [] if result is None else [(result.version, result.turn, result.outcome.value)]
    return wrong + (kept != told)


def _is_kept(item: Item, row: Drift | None) -> bool:
    if row is None or isinstance(item, Applied):
        return False
    if isinstance(item, DriftEnded):
        return row.healed == item.healed_us / 1e6
    return row.found == item.found and not row.healed


def run(trial: Trial) -> Seen:
    """Have as many conversations as the rounds say, besides those that once failed."""
    chance = Random(trial.seed)
    seeds = [*trial.seeds, *(chance.randrange(2**32) for _ in range(trial.rounds))]
    with _ground(trial.directory) as ground:
        parts = [(ground, number, seeds[number::WORKERS]) for number in range(WORKERS)]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(WORKERS, context) as pool:
            verdicts = [one for part in pool.map(_converse_all, parts) for one in part]
    for bad in (one for one in verdicts if one.bad):
        trial.say(str(bad))
    return Seen(
        len(verdicts),
        (
            Figure("effects of a document", max(one.effects for one in verdicts), 1),
            Figure("rows of a report's item", max(one.rows for one in verdicts), 1),
            Figure("acknowledged and lost", sum(one.lost for one in verdicts)),
            Figure("otherwise in the store", sum(one.unequal for one in verdicts)),
            Figure("not converged", sum(not one.converged for one in verdicts)),
            Figure("no effect at all", sum(one.effects == 0 for one in verdicts)),
        ),
        how=f"whole conversations in virtual time, {sum(one.faults for one in verdicts)} messages "
        "dropped, doubled or late",
    )


def _converse_all(part: tuple[Path, int, list[int]]) -> list[Verdict]:
    ground, number, seeds = part
    own = ground / str(number)
    own.mkdir()
    stage = Stage.make(own)
    return [converse(stage, own, seed) for seed in seeds]


@contextmanager
def _ground(directory: Path) -> Iterator[Path]:
    """Give a directory in memory where there is such a place."""
    above = MEMORY if MEMORY.is_dir() else directory
    with tempfile.TemporaryDirectory(prefix="saltern-fault-12-", dir=above) as made:
        yield Path(made)


FAULT = Fault(
    number=12,
    what="application messages dropped, doubled and reordered",
    short=60,
    full=10_000,
    run=run,
    seeds=(
        2783084149,  # the document in force came again, and undid what was to be reported
        78995296,  # what a look for the master recorded was not read, and so not told
    ),
)
