"""Fault 2: kill -9 of the master's core at every step from a report's receipt to its ack.

The steps are the system calls of core's main thread while three nodes report over the real front:
first a run without a fault, whose calls are written down; then one kill at each of them, from the
first report on, and at random ones of a longer time (the checkpoint of the store among them).
strace kills as the call begins. Each master after a kill is a new one on the same HOME.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.real_master import Foundry, Running, foundry, fresh, traced, wait_for
from tests.faults.telling_nodes import Kept, Teller, drain, join, kept
from tests.master.front_stand import Lines, many_lines
from tests.master.homes import made_home

NAMES = ("w1", "w2", "w3")
CALLS = "recvfrom,recvmsg,read,pwrite64,write,fdatasync,fsync,sendto,sendmsg,fcntl,epoll_wait"
CALL = re.compile(r"^(\w+)\(", re.MULTILINE)
FIRST = 2  # reports whose every step is tried
LONG, SHORTER = 150, 15  # reports of each node among whose steps the others are drawn
MANY = 50  # trials from which on it is LONG
CHAIN = 3  # kills on one HOME


@dataclass(frozen=True, slots=True)
class Ground:
    """What all trials stand on."""

    foundry: Foundry
    lines: Lines
    template: Path
    tellers: tuple[Teller, ...]
    directory: Path

    def begin(self, home: Path) -> Running:
        """Begin a master and connect all nodes to it."""
        master = self.foundry.begin(home, self.directory / "log")
        port, _ = master.ports()
        for one in self.tellers:
            one.connect(self.lines, port)
        return master

    def forget(self) -> None:
        """Let nodes have told nothing yet: HOME is a new one."""
        for one in self.tellers:
            one.items, one.acked, one.said = [], 0, 0


def run(trial: Trial) -> Seen:
    """Kill at so many steps; compare the store with what was acknowledged."""
    with foundry() as forge, many_lines() as lines:
        ground = _ground(trial, forge, lines)
        long = LONG if trial.rounds >= MANY else SHORTER
        first, later = _steps(ground, long)
        trial.say(f"{sum(first.values())} steps in the first {FIRST} reports; {dict(later)}")
        chosen = list(_chosen(first, later, long, trial))
        lost = twice = 0
        for start in range(0, len(chosen), CHAIN):
            found = _chain(ground, chosen[start : start + CHAIN])
            lost, twice = lost + found.lost, twice + found.twice
            if start % 30 == 0:
                trial.say(f"{start} of {len(chosen)}: lost {lost}, twice {twice}")
    figures = (Figure("acked reports lost", lost), Figure("duplicates in the store", twice))
    return Seen(len(chosen), figures, "the calls of core's main thread, by strace")


def _ground(trial: Trial, forge: Foundry, lines: Lines) -> Ground:
    trial.directory.chmod(0o711)  # the front is nobody
    home = made_home(trial.directory).path
    master = forge.begin(home, trial.directory / "log")
    tellers = tuple(join(master, lines, name) for name in NAMES)
    master.kill()
    return Ground(forge, lines, home, tellers, trial.directory)


def _steps(ground: Ground, long: int) -> tuple[Counter[str], Counter[str]]:
    """Count the calls of each sort in the first reports, and in a longer time."""
    counts = []
    for reports in (FIRST, long):
        master = ground.begin(fresh(ground.template, ground.directory / "again"))
        ground.forget()
        log = ground.directory / "strace"
        with traced(master.pid, ["-e", f"trace={CALLS}"], log):
            _tell(ground, master, reports)
        master.kill()
        counts.append(Counter(CALL.findall(log.read_text())))
    return counts[0], counts[1]


def _chosen(
    first: Counter[str], later: Counter[str], long: int, trial: Trial
) -> Iterator[tuple[str, int, int]]:
    """Give call, which of its sort, and how many reports each node has to tell."""
    chance = random.Random(trial.seed)
    every = [(call, n, FIRST) for call, count in first.items() for n in range(1, count + 1)]
    chance.shuffle(every)
    yield from every[: max(1, trial.rounds * 2 // 3)]
    for _ in range(trial.rounds - min(len(every), trial.rounds * 2 // 3)):
        call = chance.choice(sorted(later))
        yield call, chance.randint(1, later[call]), long


def _chain(ground: Ground, steps: Sequence[tuple[str, int, int]]) -> Kept:
    """Kill one master after the other on one HOME; at last all that waits is told."""
    home = fresh(ground.template, ground.directory / "again")
    ground.forget()
    lost = 0
    for call, number, reports in steps:
        master = ground.begin(home)
        options = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={number}"]
        with traced(master.pid, options, ground.directory / "strace"):
            _tell(ground, master, reports)
        master.kill()
        lost += kept(home / "store.db", ground.tellers).lost
    last = ground.foundry.begin(home, ground.directory / "log")
    drain(last, ground.lines, ground.tellers, 30.0)
    last.kill()
    found = kept(home / "store.db", ground.tellers)
    left = sum(one.waiting for one in ground.tellers)
    return Kept(lost + found.lost + left, found.twice)


def _tell(ground: Ground, master: Running, reports: int) -> None:
    """Let every node tell so much, until it is acknowledged or the master is no more."""
    for one in ground.tellers:
        for _ in range(reports):
            one.deviate()
            one.deviate()

    def done() -> bool:
        for one in ground.tellers:
            one.tell()
        for one in ground.tellers:
            one.hear(1)
        return not master.alive() or not any(one.waiting for one in ground.tellers)

    wait_for("the nodes' reports are taken", done)


FAULT = Fault(
    number=2,
    what="kill -9 of the master at every step from receipt to ack",
    short=3,
    full=200,
    run=run,
)
