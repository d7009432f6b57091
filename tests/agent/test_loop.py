"""The agent's loop with its worker and a journal on a disk, round a node in memory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

import pytest
from saltern_agent.control import Control
from saltern_agent.keeper import Keeper
from saltern_agent.loop import Agent, Clocks, Turns
from saltern_agent.sources import Events
from saltern_agent.supervised import untold
from saltern_agent.worker import Worker
from saltern_protocol.testing import NOW
from saltern_states.contract import Watch
from saltern_states.testing import FakeHost
from saltern_states.unit import Unit

from tests.agent.test_keeper import Node, hold

UNIT = "kubelet.service"
DEADLINE_SECONDS = 20.0
CLOCKS = Clocks(lambda: NOW + time.monotonic(), time.monotonic, time.process_time)


@dataclass
class Echo:
    """A source that tells of everything whenever something was started: as systemd does."""

    told: int = field(default_factory=lambda: os.eventfd(0, os.EFD_NONBLOCK))
    watches: frozenset[Watch] = frozenset()

    def fileno(self) -> int:
        return self.told

    def tell(self) -> None:
        os.eventfd_write(self.told, 1)

    def set_watches(self, watches: frozenset[Watch]) -> None:
        self.watches = watches

    def read(self) -> Events:
        os.eventfd_read(self.told)
        return Events(self.watches)

    def trouble(self) -> str:
        return ""

    def close(self) -> None:
        os.close(self.told)


@dataclass
class Deaf(Echo):
    """A source that can hear from the second time on that it is asked to."""

    asked: int = 0

    def set_watches(self, watches: frozenset[Watch]) -> None:
        self.asked += 1
        Echo.set_watches(self, watches)

    def trouble(self) -> str:
        return "" if self.asked > 1 else "cannot hear"


@dataclass
class Run:
    """One agent that ends when a unit was started so often, or at the deadline."""

    directory: Path
    host: FakeHost
    starts_wanted: int
    source: Echo = field(default_factory=Echo)
    starts: list[float] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)
    complaints: list[str] = field(default_factory=list)
    worker: Worker[Keeper] = field(init=False)

    def run(self) -> Exception | None:
        start = self.host.units.start

        def counted(unit: str) -> None:
            self.starts.append(time.monotonic())
            self.source.tell()
            if len(self.starts) >= self.starts_wanted:
                self.worker.post(self.stop)
            start(unit)

        self.host.units.start = counted  # type: ignore[method-assign]
        self.worker = Worker(self.keeper)
        agent = Agent(
            self.worker, [self.source], CLOCKS, self.turns, untold(), self.complaints.append
        )
        deadline = Timer(DEADLINE_SECONDS, lambda: self.worker.post(self.stop))
        deadline.start()
        try:
            return agent.run(Control(self.directory / "agent.sock", lambda *_: None))
        finally:
            deadline.cancel()

    def stop(self) -> None:
        self.turns.stopping = True

    def keeper(self) -> Keeper:
        """Made in the worker's thread, as the journal asks for."""
        keeper = Node(self.directory, self.host).keeper
        keeper.clock = CLOCKS.wall
        return keeper


@pytest.fixture(autouse=True)
def _signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def stopped(tmp_path: Path) -> FakeHost:
    """A node that holds a unit which has stopped."""
    node = Node(tmp_path)
    node.host.units.install(UNIT)
    node.take(hold("unit", Unit(unit=UNIT)))
    node.host.units.stop(UNIT)
    node.mark.booted = False
    return node.host


def test_a_repair_that_fails_and_tells_of_itself_is_no_hot_loop(
    tmp_path: Path, stopped: FakeHost
) -> None:
    stopped.units.fail[UNIT] = "failed"
    run = Run(tmp_path, stopped, starts_wanted=2)

    assert run.run() is None
    first, second = run.starts
    assert 1.0 <= second - first < 5.0  # seconds


def test_a_journal_that_cannot_be_read_ends_the_agent_with_one_clear_line(
    tmp_path: Path, stopped: FakeHost
) -> None:
    for file in tmp_path.glob("journal.db*"):
        file.write_bytes(b"no journal" * 1000)

    fault = Run(tmp_path, stopped, starts_wanted=1).run()
    assert str(fault).startswith("cannot open the journal")
    assert "move" in str(fault)
    assert "\n" not in str(fault)


def test_what_could_not_be_heard_is_told_and_tried_again_at_each_full_look(
    tmp_path: Path, stopped: FakeHost
) -> None:
    source = Deaf()
    run = Run(tmp_path, stopped, starts_wanted=1, source=source)

    assert run.run() is None
    assert run.complaints == ["cannot hear"]
    assert source.trouble() == ""
    assert source.watches
