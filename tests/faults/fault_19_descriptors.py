"""Fault 19: strangers take every connection that they get, until descriptors run out.

Each flood is one of two sorts, from an address of its own or from the very address of the nodes:
idle connections, more than the front may open at all; or finished ones at the door, where every
key may in. Who is shown out comes again at once. Meanwhile nodes speak; then the strangers go.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import zmq
from saltern_master.front.frames import Admit

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.frontage import descriptors, fronts, greeted, round_trip, strangers, used
from tests.master.front_stand import Core, Lines, Node, dial, many_lines, new_keys

LIMIT = 1024
NODES = 20
QUIET, FLOOD = 1.0, 2.5  # seconds
SORTS = ("idle", "door")
NEARBY, ELSEWHERE = "127.0.0.1", "127.0.0.2"
NOISE = 0.005
"""Seconds by which p99 may differ on a machine with other work, where a fifth of it is less."""


def run(trial: Trial) -> Seen:
    """Flood, and see what nodes notice."""
    chance = random.Random(trial.seed)
    sorts = [(sort, where) for sort in SORTS for where in (ELSEWHERE, NEARBY)]
    chance.shuffle(sorts)
    worst = Worst()
    keys = [new_keys() for _ in range(NODES)]
    trial.directory.chmod(0o711)
    with many_lines() as lines, fronts(trial.directory, keys, most=LIMIT) as core:
        nodes = [greeted(core, core.node(lines, one)) for one in keys]
        for number in range(trial.rounds):
            worst.flood(core, lines, nodes, *sorts[number % len(sorts)])
    return Seen(trial.rounds, worst.figures(), f"{LIMIT} descriptors, by the limit of the process")


class Worst:
    """The worst of all floods."""

    def __init__(self) -> None:
        self.cpu = self.back = 0.0
        self.p99s: list[tuple[float, float]] = []  # how much slower, and how much that may be
        self.short = 0

    def flood(self, core: Core, lines: Lines, nodes: Sequence[Node], sort: str, where: str) -> None:
        port = core.door_port if sort == "door" else core.link_port
        count = LIMIT // 2 if sort == "door" else LIMIT * 3 // 2
        quiet = p99(core, nodes, QUIET)
        before = used(core)
        with strangers(sort, where, port, count, core.master.public):
            held = descriptors(core)
            flooded, most = p99_and_most(core, nodes, FLOOD)
            cpu = used(core).since(before)
        back = new_agent(core, lines)
        self.p99s.append((flooded - quiet, max(0.2 * quiet, NOISE)))
        self.cpu, self.back = max(self.cpu, cpu), max(self.back, back)
        self.short += max(held, most) >= LIMIT - 1

    def figures(self) -> tuple[Figure, ...]:
        """Give them with their bars."""
        slower, bar = max(self.p99s, key=lambda one: one[0] - one[1])
        return (
            Figure("p99 of nodes above that before", slower * 1000, bar * 1000, "ms"),
            Figure("CPU of the front", self.cpu, 20, "%"),
            Figure("new agent after release", self.back, 10, "s"),
            Figure("floods that left no descriptor", self.short, 0),
        )


def p99(core: Core, nodes: Sequence[Node], seconds: float) -> float:
    """Give the 99th percentile of the nodes' round trips, in seconds."""
    return p99_and_most(core, nodes, seconds)[0]


def p99_and_most(core: Core, nodes: Sequence[Node], seconds: float) -> tuple[float, int]:
    """Give that, and the most descriptors that were seen open."""
    trips: list[float] = []
    until, most = time.monotonic() + seconds, 0
    while time.monotonic() < until or len(trips) < 100:
        trips += [round_trip(core, node) for node in nodes]
        most = max(most, descriptors(core))
        time.sleep(0.01)  # a node that speaks without end is not the one that is asked about
    return sorted(trips)[len(trips) * 99 // 100], most


def new_agent(core: Core, lines: Lines) -> float:
    """Give the seconds until a node that has just been admitted is in."""
    began, keys = time.monotonic(), new_keys()
    core.say(Admit(key=keys.public))
    node = dial(lines, keys, core.master.public, core.link_port)
    assert node.event(30) == zmq.EVENT_HANDSHAKE_SUCCEEDED
    greeted(core, node)
    return time.monotonic() - began


FAULT = Fault(
    number=19,
    what="descriptors taken by strangers",
    short=1,
    full=8,
    run=run,
)
