"""Fault 27, races: a hostile process swaps a component of a path while the real ports work on it.

Forty kinds: eight things that are put in the place of five components. Each is tried with
openat2(2) and without. Who comes outside is told by inotify and by the canaries there.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

from saltern_agent.host.accounts import Accounts
from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.trees import DiskTrees
from saltern_states.ports import HostError

from tests.faults import race_attacker
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.hostile_ground import CANARY, blob_name, canaries
from tests.faults.outside_watch import OutsideWatch

PLACES = {  # the component that is swapped
    "leaf": "race/dir/leaf",
    "directory": "race/dir/sub",
    "parent": "race/dir",
    "above": "race",
    "member": "race/dir/tree/sub",
}
HANG, PATIENCE = 1.0, 10.0
MEMORY = Path("/dev/shm")  # where fsync costs nothing, so that races are many


class HungError(Exception):
    """A call took longer than HANG."""


@dataclass(slots=True)
class Tally:
    """What the races came to."""

    rounds: int = 0
    escapes: int = 0
    hangs: int = 0
    never_met: int = 0
    strange: int = 0
    told: list[str] = field(default_factory=list)


class Victim:
    """The real ports below a root where a stranger may write."""

    def __init__(self, top: Path, openat2: bool, chance: random.Random) -> None:
        self.node, self.outside, self._chance = top / "node", top / "outside", chance
        hashes, accounts, root = Hashes(), Accounts(), Root(self.node, openat2=openat2)
        blobs = DiskBlobs(top / "blobs", hashes=hashes)
        self.files = DiskFiles(blobs, root, hashes, accounts)
        self.trees = DiskTrees(blobs, root, hashes, accounts)
        self.owner, self.group = accounts.names(os.geteuid(), os.getegid())
        self._blob = _tree_blob(blobs)
        self._path = Path("/race/dir/leaf")
        self._tree = Path("/race/dir/tree")
        self.seen: set[str] = set()

    def acts(self) -> tuple[Callable[[], object], ...]:
        """Give all that the ports do."""
        leaf, sub = self._path, Path("/race/dir/sub")
        return (
            self._write,
            self._write,
            self._access,
            self._unpack,
            lambda: self.trees.look(self._tree),
            lambda: self.files.names(sub),
            lambda: self.files.names(leaf.parent),
            lambda: self._made(sub / "made"),
            lambda: self._made(leaf.parent / "made"),
            lambda: self.files.sweep([leaf.parent, sub]),
            lambda: self._remove(leaf),
        )

    def round(self) -> None:
        """Do three of them, in any order."""
        for act in self._chance.sample(self.acts(), 3):
            try:
                act()
            except HostError:
                self.seen.add("refused")
            else:
                self.seen.add("done")

    def _write(self) -> None:
        was = self.files.look(self._path)
        if self.files.read(self._path) == CANARY and was is not None and was.type == "symlink":
            raise AssertionError("a canary was read through a symlink")
        self.files.write(self._path, was, b"mine", 0o640, self.owner, self.group)

    def _access(self) -> None:
        for path in (self._path, Path("/race/dir/sub")):
            was = self.files.look(path)
            if was is not None and was.type in ("file", "directory"):
                mode = self._chance.choice((0o700, 0o750, 0o777))
                self.files.set_access(path, was, mode, self.owner, self.group)

    def _unpack(self) -> None:
        was = self.trees.look(self._tree)
        self.trees.unpack(self._tree, was, self._blob, 0o755, self.owner, self.group)

    def _made(self, path: Path) -> None:
        was = self.files.look(path)
        if was is None:
            self.files.make_directory(path, 0o700, self.owner, self.group)
        else:
            self.files.remove(path, was)

    def _remove(self, path: Path) -> None:
        was = self.files.look(path)
        if was is not None and was.type == "file":
            self.files.remove(path, was)


def run(trial: Trial) -> Seen:
    """Race every kind in turn, first with openat2 and then without."""
    chance, tally = random.Random(trial.seed), Tally()
    kinds = tuple(product(PLACES.values(), race_attacker.KINDS))
    each = -(-trial.rounds // (2 * len(kinds)))
    base = MEMORY if MEMORY.is_dir() else trial.directory
    before = signal.signal(signal.SIGALRM, _hung)
    try:
        with (
            tempfile.TemporaryDirectory(dir=base, prefix="saltern-races-") as top,
            _attacker() as foe,
        ):
            for openat2, (number, (place, kind)) in product((True, False), enumerate(kinds)):
                directory = Path(top) / f"{number}-{openat2}"
                found = len(tally.told)
                _race(directory, place, kind, openat2, each, chance, foe, tally)
                for line in tally.told[found : found + 2]:
                    trial.say(f"{place} {kind} openat2={openat2}: {line}")
                shutil.rmtree(directory, ignore_errors=True)
    finally:
        signal.signal(signal.SIGALRM, before)
    figures = (
        Figure("escapes", tally.escapes),
        Figure(f"calls longer than {HANG:g} s", tally.hangs),
        Figure("errors that are no HostError", tally.strange),
        Figure("races that were none", tally.never_met),
    )
    return Seen(tally.rounds, figures, f"{len(kinds)} kinds, with openat2 and without")


def _race(
    top: Path,
    place: str,
    kind: str,
    openat2: bool,
    rounds: int,
    chance: random.Random,
    foe: subprocess.Popen[str],
    tally: Tally,
) -> None:
    """Race one kind for so many rounds, and on until both sides of it were seen."""
    victim = _lay(top, openat2, chance)
    watch = OutsideWatch((victim.outside, victim.outside / "dir"))
    before = canaries(victim.outside)
    watch.events()
    _tell(foe, {"place": str(victim.node / place), "kind": kind, "outside": str(victim.outside)})
    assert foe.stdout is not None
    assert foe.stdout.readline() == "on\n"
    done, deadline = 0, time.monotonic() + PATIENCE
    while done < rounds or (victim.seen != {"done", "refused"} and time.monotonic() < deadline):
        done += 1
        _timed(victim, tally)
    _tell(foe, {})
    met = int(foe.stdout.readline().split()[1])
    foe.stdout.readline()
    wrong = watch.events()
    watch.close()
    after = canaries(victim.outside)
    wrong += [f"changed: {path}" for path, _ in set(before.items()) ^ set(after.items())]
    tally.rounds += done
    tally.escapes += len(wrong)
    tally.never_met += not met or victim.seen != {"done", "refused"}
    tally.told += wrong


def _timed(victim: Victim, tally: Tally) -> None:
    signal.setitimer(signal.ITIMER_REAL, HANG)
    try:
        victim.round()
    except HungError:
        tally.hangs += 1
    except AssertionError as error:
        tally.escapes += 1
        tally.told.append(str(error))
    except Exception as error:  # noqa: BLE001  each is a finding
        tally.strange += 1
        tally.told.append(f"{type(error).__name__}: {error}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _lay(top: Path, openat2: bool, chance: random.Random) -> Victim:
    """Make a root where anybody may write, and canaries beside it."""
    for name in ("node/race/dir/sub", "outside/dir"):
        (top / name).mkdir(parents=True)
    for path in (top / "node/race", top / "node/race/dir", top / "node/race/dir/sub"):
        path.chmod(0o777)
    for name in ("canary", "leaf", "dir/leaf", "dir/canary", ".saltern-0123456789abcdef"):
        (top / "outside" / name).write_bytes(CANARY)
    return Victim(top, openat2, chance)


def _tree_blob(blobs: DiskBlobs) -> str:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name in ("sub/leaf", "sub/canary", "leaf"):
            member = tarfile.TarInfo(name)
            member.size = len(CANARY)
            tar.addfile(member, io.BytesIO(CANARY))
    blob = blob_name(made.getvalue())
    blobs.add(blob, [made.getvalue()])
    return blob


@contextmanager
def _attacker() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-S", "-E", race_attacker.__file__]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _tell(foe: subprocess.Popen[str], order: dict[str, str]) -> None:
    assert foe.stdin is not None
    foe.stdin.write(json.dumps(order) + "\n")
    foe.stdin.flush()


def _hung(_number: int, _frame: object) -> None:
    raise HungError


FAULT = Fault(
    number=27,
    what="symlinks, hard links, pipes and renames raced against the disk",
    short=480,
    full=80_000,
    run=run,
)
