"""Fault 4: the power is cut while the master's store is written.

A process commits to a real SqliteStore and tells each commit when commit() returned; strace writes
down its calls. For each cut the disk is rebuilt from the calls up to a random one (disk_of_calls),
opened as a master would open it, and looked through. Checkpoints are among the calls.
"""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from saltern_master.store import SqliteStore, StoreError

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.disk_of_calls import CALLS, Disk, Event, events

SOME, MANY = 60, 200  # commits of 80 KiB: -wal is brought into the file once, and thrice
FROM = 200  # cuts from which on there are MANY
WRITER = """
import random, sys
from pathlib import Path
from saltern_master.store import Delete, Put, SqliteStore

store = SqliteStore(Path(sys.argv[1]))
chance = random.Random(int(sys.argv[2]))
for number in range(1, int(sys.argv[3]) + 1):
    size = chance.choice((10, 1_000, 30_000))
    value = number.to_bytes(4, "big") * size
    more = [Delete(f"log/{number - 40:06}")] if number > 40 else []
    store.commit(Put("one", value), Put("other", value), Put(f"log/{number:06}", b"x"), *more)
    print(number, flush=True)
"""


def run(trial: Trial) -> Seen:
    """Cut the power so often."""
    place = trial.directory / "store"
    place.mkdir()
    calls = _calls(place, trial)
    trial.say(f"{len(calls)} calls")
    chance = random.Random(trial.seed)
    disk, done = Disk(str(place)), 0
    lost = broken = mixed = 0
    for number, cut in enumerate(sorted(chance.choices(range(len(calls) + 1), k=trial.rounds))):
        for event in calls[done:cut]:
            disk.take(event)
        done = max(done, cut)
        after = trial.directory / "after"
        _write(after, disk.cut(random.Random(trial.seed + number)))
        found = _found(after)
        broken += found is None
        promised = int(disk.told[-1]) if disk.told else 0
        lost += found is not None and found[0] < promised
        mixed += found is not None and not found[1]
    figures = (
        Figure("acked commits lost", lost),
        Figure("integrity_check not ok", broken),
        Figure("commits there in part", mixed),
    )
    how = "disks rebuilt from the store's system calls: unsynced writes whole, torn or not there"
    return Seen(trial.rounds, figures, how)


def _calls(place: Path, trial: Trial) -> list[Event]:
    log = trial.directory / "strace"
    commits = MANY if trial.rounds >= FROM else SOME
    strace = ["/usr/bin/strace", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", str(log)]
    writer = [sys.executable, "-c", WRITER, str(place / "store.db")]
    argv = [*strace, "--", *writer, str(trial.seed), str(commits)]
    subprocess.run(argv, check=True, timeout=120, stdout=subprocess.DEVNULL)
    found = list(events(log.read_text()))
    begin = next(at for at, one in enumerate(found) if one.path.startswith(f"{place}/"))
    last = max(at for at, one in enumerate(found) if one.path == "stdout")
    return found[begin : last + 1]  # what comes after is the orderly end


def _write(place: Path, files: dict[str, bytes]) -> None:
    place.mkdir(exist_ok=True)
    for old in place.iterdir():
        old.unlink()
    for name, data in files.items():
        if not name.endswith("-shm"):  # memory, not disk
            (place / name).write_bytes(data)


def _found(place: Path) -> tuple[int, bool] | None:
    """Give the last commit that is there, and whether all of it is; None: it is damaged."""
    path = place / "store.db"
    try:
        store = SqliteStore(path)
    except StoreError:
        return None
    try:
        one, other, log = store.get("one"), store.get("other"), store.list("log/", newest=True)
    finally:
        store.close()
    with closing(sqlite3.connect(path)) as db:
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            return None
    if one is None or other is None or not log:
        return 0, (one, other, log) == (None, None, ())
    number = int(log[0].key.removeprefix("log/"))
    whole = one.value == other.value and int.from_bytes(one.value[:4], "big") == number
    return number, whole and len(log) == min(number, 40)


FAULT = Fault(
    number=4,
    what="power cut, the master's store",
    short=60,
    full=1000,
    run=run,
)
