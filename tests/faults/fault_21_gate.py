"""Fault 21: the gate, which says who may in, is killed, hangs, or raises, while agents come.

The front is the real one but for the function that breaks (broken_gate.py), and core's own
supervise() starts it anew where it ends. Killed and hung: at one moment, while agents come; back is
counted from it. Raising: for all of the time in which agents come; back is counted from its end.
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgpack
import zmq
from msgspec.structs import replace
from saltern_master.core.front import Line, supervise
from saltern_master.front.frames import Frame, Peers, Ready, ToCore

from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.master.front_stand import Keys, Lines, Node, dial, many_lines, new_keys, setup_of

WAYS = ("killed", "hung", "raising")
MOMENT = 0.5  # seconds that a gate that is killed or hangs would be so again
SHORT = 1.5  # seconds in which few agents come; many: LONG
LONG = 10.0
FEW = 200
PROCESSES = 2
STRANGERS = 20  # for each hundred agents
AFTERWARDS = 60.0
BEGIN_IN = 3.0
LATER = 2.0  # than the one that hangs: its front starts anew meanwhile, and is timed


class Core:
    """Core's side: who may in, and where the front listens. Runs a loop in a thread of its own."""

    def __init__(self, blobs: Path, keys: Sequence[Keys], command: tuple[str, ...]) -> None:
        self.master, self.log = new_keys(), list[str]()
        self._setup = setup_of(blobs, self.master)
        self._peers = Peers(keys=tuple(one.public for one in keys))
        self._command = command
        self._ready, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    @property
    def port(self) -> int:
        """The link's."""
        return self._setup.link_port

    def greeting(self) -> tuple[Frame, ...]:
        """Give what a front has to know."""
        return self._setup, self._peers

    def heard(self, frames: Sequence[ToCore]) -> None:
        """Keep the port, so that the next front has it too."""
        for frame in frames:
            if isinstance(frame, Ready):
                self._setup = replace(self._setup, link_port=frame.link_port)
                self._ready.set()

    def lost(self) -> None:
        """The front is gone."""
        self.log.append("a front was lost")

    def start(self) -> None:
        """Run the front; give back when it listens."""
        self._thread.start()
        assert self._ready.wait(30), self.log

    def stop(self) -> None:
        """End the front."""
        self._ended.set()
        self._thread.join()

    async def _run(self) -> None:
        task = asyncio.create_task(supervise(self._command, Line(), self, self.log.append))
        while not self._ended.is_set():
            await asyncio.sleep(0.05)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@dataclass(frozen=True, slots=True)
class Came:
    """What one way of breaking came to."""

    back: float  # seconds until somebody got in again
    agents: int  # that are up
    strangers: int  # that were ever let in


def run(trial: Trial) -> Seen:
    """Break it in each way."""
    trial.directory.chmod(0o711)
    few = trial.rounds <= FEW
    with ThreadPoolExecutor(len(WAYS) if few else 1) as pool:
        came = list(
            pool.map(
                lambda way: _broken(trial, way, SHORT if few else LONG),
                WAYS,
            )
        )
    return Seen(
        min(one.agents for one in came),
        (
            Figure("strangers let in", sum(one.strangers for one in came)),
            Figure("back after", max(one.back for one in came), 2, "s"),
            Figure("agents that are not up again", max(trial.rounds - one.agents for one in came)),
        ),
        f"agents are bare DEALER sockets with CURVE in {PROCESSES} processes, which connect anew as"
        " agents do",
    )


def _broken(trial: Trial, way: str, seconds: float) -> Came:
    chance = random.Random(f"{trial.seed} {way}")
    directory = trial.directory / way
    directory.mkdir(mode=0o711)
    agents = [new_keys() for _ in range(trial.rounds)]
    begin = time.monotonic() + BEGIN_IN + (0 if way == "hung" else LATER)
    times = directory / "times"
    until = begin + (seconds if way == "raising" else MOMENT)
    times.write_text(f"{begin} {until}")
    ours = new_keys()
    command = (sys.executable, "-m", "tests.faults.broken_gate", way, str(times))
    core = Core(directory, [*agents, ours], command)
    core.start()
    try:
        with (
            many_lines() as lines,
            _returning(directory, core, agents, chance, begin, seconds) as who,
        ):
            time.sleep(max(0.0, begin - time.monotonic()))
            since = begin if way != "raising" else until
            back = _first_in(lines, ours, core, since + AFTERWARDS) - since
            assert way != "hung" or core.log, "no question came while it would have hung"
            trial.say(f"{way}: back after {back:.2f} s")
            return Came(back, *_all_up(who, trial.rounds, begin + seconds + AFTERWARDS))
    finally:
        core.stop()


def _first_in(lines: Lines, keys: Keys, core: Core, until: float) -> float:
    """Connect again and again; give the moment at which one got in."""
    tried: list[Node] = []
    while time.monotonic() < until:
        tried.append(dial(lines, keys, core.master.public, core.port))
        time.sleep(0.1)
        for one in tried:
            if one.monitor.poll(0) and one.event() == zmq.EVENT_HANDSHAKE_SUCCEEDED:
                return time.monotonic()
    raise AssertionError(f"nobody gets in any more: {core.log[-5:]}")


def _all_up(who: Sequence[subprocess.Popen[str]], agents: int, until: float) -> tuple[int, int]:
    """Read how many are up until all are, or it is too late; give agents and strangers."""
    last = dict.fromkeys(who, (0, 0))
    while time.monotonic() < until:
        for one in who:
            assert one.stdout is not None
            _, up, strangers = one.stdout.readline().split()
            last[one] = int(up), int(strangers)
        if sum(up for up, _ in last.values()) == agents:
            break
    return sum(up for up, _ in last.values()), sum(strangers for _, strangers in last.values())


@contextmanager
def _returning(
    directory: Path,
    core: Core,
    agents: Sequence[Keys],
    chance: random.Random,
    begin: float,
    spread: float,
) -> Iterator[list[subprocess.Popen[str]]]:
    """Give processes that are agents and strangers (returning.py)."""
    strangers = [new_keys() for _ in range(max(2, len(agents) * STRANGERS // 100))]
    everybody = [(one.public, one.secret, False) for one in agents]
    everybody += [(one.public, one.secret, True) for one in strangers]
    running = []
    for number in range(PROCESSES):
        told = {
            "port": core.port,
            "master": core.master.public,
            "begin": begin,
            "spread": spread,
            "seed": chance.randrange(2**32),
            "keys": everybody[number::PROCESSES],
        }
        file = directory / f"agents-{number}"
        file.write_bytes(msgpack.packb(told))
        command = [sys.executable, "-m", "tests.faults.returning", str(file)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
    try:
        yield running
    finally:
        for one in running:
            one.kill()
            one.communicate()


FAULT = Fault(
    number=21,
    what="the gate killed, hung, raising",
    short=40,
    full=1000,
    run=run,
    alone=True,
)
