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
from tests.faults.frontage import fronts, greeted, round_trip, strangers, used
from tests.master.front_stand import Core, Lines, Node, dial, many_lines, new_keys

LIMIT = 1024
NODES = 20
QUIET, FLOOD = 0.5, 3.0  # seconds
SORTS = ("idle", "door")
NEARBY, ELSEWHERE = "127.0.0.1", "127.0.0.2"
NOISE = 0.010
"""Seconds by which p99 may differ on a machine with other work, where a fifth of it is less."""


def run(trial: Trial) -> Seen:
    """Flood, and see what nodes notice."""
    chance = random.Random(trial.seed)
    places = chance.sample((ELSEWHERE, NEARBY), 2)
    sorts = [(sort, where) for where in places for sort in SORTS]
    worst = Worst(chance)
    keys = [new_keys() for _ in range(NODES)]
    trial.directory.chmod(0o711)
    with many_lines() as lines, fronts(trial.directory, keys, most=LIMIT) as core:
        nodes = [greeted(core, core.node(lines, one)) for one in keys]
        for number in range(trial.rounds):
            sort, where = sorts[number % len(sorts)]
            cpu = worst.flood(core, lines, nodes, sort, where)
            trial.say(f"{sort} from {where}: {cpu:.1f} % CPU")
    return Seen(trial.rounds, worst.figures(), f"{LIMIT} descriptors, by the limit of the process")


class Worst:
    """The worst of all floods."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.cpu = self.back = 0.0
        self.quiet: list[float] = []  # round trips without strangers, before and after
        self.flooded: list[float] = []

    def flood(
        self, core: Core, lines: Lines, nodes: Sequence[Node], sort: str, where: str
    ) -> float:
        port = core.door_port if sort == "door" else core.link_port
        count = LIMIT // 3 if sort == "door" else LIMIT * 3 // 2
        self.quiet += trips(core, nodes, QUIET)
        with strangers(sort, where, port, count, core.master.public):
            before = used(core)
            self.flooded += trips(core, nodes, FLOOD)
            cpu = used(core).since(before)
        back = new_agent(core, lines, self._chance)
        self.quiet += trips(core, nodes, QUIET)
        self.cpu, self.back = max(self.cpu, cpu), max(self.back, back)
        return cpu

    def figures(self) -> tuple[Figure, ...]:
        """Give them with their bars."""
        quiet = p99(self.quiet)
        slower, bar = max(0.0, p99(self.flooded) - quiet), max(0.2 * quiet, NOISE)
        return (
            Figure("p99 of nodes above that without", slower * 1000, bar * 1000, "ms"),
            Figure("CPU of the front", self.cpu, 20, "%"),
            Figure("new agent after release", self.back, 10, "s"),
        )


def trips(core: Core, nodes: Sequence[Node], seconds: float) -> list[float]:
    """Give the nodes' round trips, in seconds."""
    made: list[float] = []
    until = time.monotonic() + seconds
    while time.monotonic() < until or len(made) < 100:
        made += [round_trip(core, node) for node in nodes]
        time.sleep(0.05)  # a node that speaks without end would be over its own budget
    return made


def p99(made: list[float]) -> float:
    """Give the 99th percentile."""
    return sorted(made)[len(made) * 99 // 100]


def new_agent(core: Core, lines: Lines, chance: random.Random) -> float:
    """Give the seconds until a node that has just been admitted is in; it tries as agents do."""
    began, keys = time.monotonic(), new_keys()
    core.say(Admit(key=keys.public))
    while time.monotonic() < began + 60:
        node = dial(lines, keys, core.master.public, core.link_port)
        if node.event(30) == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            greeted(core, node)
            return time.monotonic() - began
        node.close()
        time.sleep(chance.random())  # agent/link/session.py: from 0 to 1 s, the first time
    raise AssertionError("a new agent does not get in")


FAULT = Fault(
    number=19,
    what="descriptors taken by strangers",
    short=1,
    full=8,
    run=run,
    alone=True,
)
