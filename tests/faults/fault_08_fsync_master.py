"""Fault 8, the master's half: an fsync of the store's disk gives EIO.

strace answers one fsync or fdatasync of the store's files with EIO while nodes report over the real
front, a commit's or a checkpoint's. (Their directory was synced before, when the store was opened;
that SQLite does so again, and overlooks an error there, takes nothing away.) Core has to end by
itself, with the reason; nothing that it acknowledged may be missing from what a new master finds,
and what was not acknowledged is taken by that one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.real_master import Foundry, Running, foundry, fresh, traced, wait_for
from tests.faults.telling_nodes import Teller, drain, join, kept
from tests.master.front_stand import Lines, many_lines
from tests.master.homes import made_home

NAMES = ("w1", "w2")
CALLS = "fsync,fdatasync"
REPORTS = 12
LONG_SYNC = 120  # reports until a checkpoint's syncs are among the calls
WITHIN = 20.0  # seconds
WHY = "its disk does not say that it has what was written"


@dataclass(frozen=True, slots=True)
class Came:
    """What came of one trial."""

    went_on: bool
    silent: bool  # it ended without saying why
    lost: int
    left: int  # items that the next master did not take


def run(trial: Trial) -> Seen:
    """Fail so many syncs, each of another master."""
    chance = random.Random(trial.seed)
    came = []
    trial.directory.chmod(0o711)  # the front is nobody
    with foundry() as forge, many_lines() as lines:
        home = made_home(trial.directory).path
        master = forge.begin(home, trial.directory / "log")
        tellers = [join(master, lines, name) for name in NAMES]
        master.kill()
        for number in range(trial.rounds):
            reports = LONG_SYNC if number % 10 == 9 else REPORTS
            at = chance.randint(1, reports)
            copy = fresh(home, trial.directory / "again")
            came.append(_try(trial.directory, forge, lines, copy, tellers, reports, at))
    figures = (
        Figure("masters that went on", sum(one.went_on for one in came)),
        Figure("ends without the reason", sum(one.silent for one in came)),
        Figure("acked reports lost", sum(one.lost for one in came)),
        Figure("reports not taken afterwards", sum(one.left for one in came)),
    )
    return Seen(len(came), figures)


def _try(
    directory: Path,
    forge: Foundry,
    lines: Lines,
    home: Path,
    tellers: list[Teller],
    reports: int,
    at: int,
) -> Came:
    master = forge.begin(home, directory / "log")
    port, _ = master.ports()
    for one in tellers:
        one.items, one.acked, one.said = [], 0, 0
        one.connect(lines, port)
    inject = [f"inject={call}:error=EIO:when={at}" for call in CALLS.split(",")]
    options = [word for one in (f"trace={CALLS}", *inject) for word in ("-e", one)]
    for name in ("store.db", "store.db-wal"):
        options += ["-P", str(home / name)]
    with traced(master.pid, options, directory / "strace"):
        _tell(master, tellers, reports)
        went_on = master.alive()
    silent = WHY not in master.said
    status = None if went_on else master.ended()
    master.kill()
    lost = kept(home / "store.db", tellers).lost
    after = forge.begin(home, directory / "log")
    drain(after, lines, tellers, 30.0)
    after.kill()
    left = sum(one.waiting for one in tellers) + kept(home / "store.db", tellers).lost
    return Came(went_on or status == 0, silent, lost, left)


def _tell(master: Running, tellers: list[Teller], reports: int) -> None:
    """Let nodes tell until the master ended, or has had time enough to."""
    for one in tellers:
        for _ in range(2 * reports):
            one.deviate()

    def ended() -> bool:
        for one in tellers:
            one.tell()
            one.hear(1)
        return not master.alive()

    try:
        wait_for("the master ends", ended, WITHIN)
    except AssertionError:
        return


FAULT = Fault(
    number=8,
    what="fsync gives EIO, the master's store",
    short=2,
    full=100,
    run=run,
)
