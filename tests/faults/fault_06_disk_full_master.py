"""Fault 6: the master's disk is full while nodes report, and has room again later.

HOME and the master's log are on a tmpfs of their own that is filled to the last byte while reports
flow over the real front. What was acknowledged by then is looked for in a copy of the store's
files; with room again, nodes connect anew, as agents do where a report has no answer, and
everything has to be taken.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.faults.agents_outboxes import DRAINED, Drained, agents_drain
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.real_master import Running, foundry
from tests.faults.telling_nodes import Teller, drain, join, kept
from tests.master.front_stand import many_lines
from tests.master.homes import made_home

NAMES = ("w1", "w2", "w3")
SIZE = "24m"
AGENTS_TOO = 50  # rounds from which on real agents are tried as well: they take their time
PIECE = 256 * 1024
AFTER = 16  # reports that each node tries to tell to a full disk
PAGE = 4096
REFUSED = 0.4  # seconds without an answer
RECOVERY = 30.0  # seconds


def run(trial: Trial) -> Seen:
    """Fill the disk so often."""
    chance = random.Random(trial.seed)
    lost = left = twice = easy = 0
    slowest = 0.0
    place = trial.directory / "t"
    place.mkdir(mode=0o711)
    trial.directory.chmod(0o711)  # the front is nobody
    with foundry(place, SIZE) as forge, many_lines() as lines:
        inside = forge.seen(place)
        shutil.copytree(made_home(trial.directory).path, inside / "home")
        master = forge.begin(place / "home", place / "log")
        tellers = [join(master, lines, name) for name in NAMES]
        for _ in range(trial.rounds):
            drain(master, lines, tellers, RECOVERY)
            forge.cut_wal(place / "home")
            easy += not _told_to_a_full_disk(master, tellers, inside, chance)
            copy = _copied(inside / "home", trial.directory / "copy")
            lost += kept(copy, tellers).lost
            (inside / "filler").unlink()
            slowest = max(slowest, drain(master, lines, tellers, RECOVERY))
            left += sum(one.waiting for one in tellers)
        master.kill()
        found = kept(_copied(inside / "home", trial.directory / "copy"), tellers)
        lost, twice = lost + found.lost, twice + found.twice
    drained = agents_drain(_folder(trial)) if trial.rounds >= AGENTS_TOO else None
    figures = (
        Figure("acks sent without a commit", lost),
        Figure("items left in outboxes", left),
        Figure("duplicates in the store", twice),
        Figure("rounds in which all was taken, or the master ended", easy),
        Figure("slowest to drain", slowest, RECOVERY, "s"),
        *_of_agents(drained),
    )
    return Seen(trial.rounds, figures)


def _of_agents(drained: Drained | None) -> tuple[Figure, ...]:
    if drained is None:
        return ()
    return (
        Figure("items left in real agents' outboxes", drained.left),
        Figure("drifts of theirs that the master lacks", drained.missing),
        Figure("theirs drained after", drained.seconds, DRAINED, "s"),
    )


def _folder(trial: Trial) -> Path:
    folder = trial.directory / "agents"
    folder.mkdir(mode=0o711)
    return folder


def _told_to_a_full_disk(
    master: Running, tellers: Sequence[Teller], inside: Path, chance: random.Random
) -> bool:
    """Let nodes tell while the disk fills; say whether the master refused some of it."""
    for one in tellers:
        for _ in range(AFTER):
            one.deviate(words=chance.choice((1, 8, 48)))
    with (inside / "log").open("ab") as log:  # its last page has no room either
        log.write(b"\n" * (-os.fstat(log.fileno()).st_size % PAGE))
    with _filling(inside / "filler") as fill:
        until = time.monotonic() + REFUSED
        while time.monotonic() < until and any(one.waiting for one in tellers):
            fill()
            for one in tellers:
                one.tell()
            if sum(one.hear(5) for one in tellers):
                until = time.monotonic() + REFUSED
    return any(one.waiting for one in tellers) and master.alive()


@contextmanager
def _filling(path: Path) -> Iterator[Callable[[], None]]:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def fill() -> None:
        """Take what is left, piece by piece, then byte by byte."""
        size = PIECE
        while size:
            try:
                os.write(file, bytes(size))
            except OSError:
                size //= 4

    try:
        yield fill
    finally:
        os.close(file)


def _copied(home: Path, to: Path) -> Path:
    """Copy the store's files as they are: nobody reports at this moment, so nobody writes."""
    shutil.rmtree(to, ignore_errors=True)
    to.mkdir()
    for name in ("store.db", "store.db-wal"):
        if (home / name).exists():
            shutil.copyfile(home / name, to / name)
    return to / "store.db"


FAULT = Fault(
    number=6,
    what="disk full, the master's",
    short=2,
    full=50,
    run=run,
)
