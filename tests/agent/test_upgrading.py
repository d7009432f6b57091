"""What an agent tells the upgrader beside it, and what it does once that has ended."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest
from saltern_agent.host.vitals import Vitals
from saltern_agent.keeper import Keeper
from saltern_agent.link.deeds import AgentDeeds
from saltern_agent.link.upgrading import EVERY, START_AGAIN, UpgradingLink
from saltern_agent.loop import Agent, Clocks, Turns
from saltern_agent.status import LinkStatus, Status
from saltern_agent.supervised import Supervised
from saltern_agent.upgrade.ground import NAME, WANTS, Ground
from saltern_agent.upgrade.records import Ended, Records
from saltern_agent.upgrade.stages import Order, Package, Told
from saltern_agent.worker import Worker
from saltern_protocol.messages import UPGRADING

ORDER = Order(Package("2", "b" * 64), Package("1", "a" * 64), attempt=1, release="b" * 64)
REFUSED = "the master refuses (protocol): this master speaks 2"


@dataclass
class Line:
    """A link whose state the test sets."""

    state: str = "opening"
    why: str = ""

    def start(self) -> None:
        """Nothing."""

    def filenos(self) -> tuple[int, ...]:
        return ()

    def wait(self, _monotonic: float) -> float:
        return 1000.0

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Nothing."""

    def status(self) -> LinkStatus:
        return LinkStatus(master="m", state=self.state, since=0.0, why=self.why)

    def stop(self) -> None:
        """Nothing."""


@dataclass
class Jobs:
    """Takes jobs as the worker does; a test runs them."""

    jobs: list[tuple[Callable[[Any], Any], Callable[[Any], None]]] = field(default_factory=list)

    def submit(self, job: Callable[[Any], Any], ended: Callable[[Any], None]) -> None:
        self.jobs.append((job, ended))

    def run(self, given: object) -> None:
        jobs, self.jobs = self.jobs, []
        for job, ended in jobs:
            ended(job(given))


@dataclass
class Loop:
    """What the link asks of the agent."""

    worker: Jobs = field(default_factory=Jobs)
    complaints: list[str] = field(default_factory=list)

    def complain(self, text: str) -> None:
        self.complaints.append(text)


@dataclass
class Ground3:
    """One agent's link with all around it."""

    folder: Path
    line: Line = field(default_factory=Line)
    loop: Loop = field(default_factory=Loop)
    starts: list[str] = field(default_factory=list)
    answer: str = ""
    beats: int = 0

    def __post_init__(self) -> None:
        for name in ("upgrade", "run", f"units/{WANTS}"):
            (self.folder / name).mkdir(parents=True)
        self.records = Records(self.folder / "upgrade", self.folder / "run")
        ground = Ground(self.records, self.folder, self.folder / "units", self._start)
        self.link = UpgradingLink(self.line, cast(Agent, self.loop), ground, "this run", self._beat)

    def _beat(self) -> None:
        self.beats += 1

    def _start(self) -> str:
        self.starts.append("started")
        return self.answer

    def turn(self, at: float, state: str = "opening", why: str = "") -> Told | None:
        self.line.state, self.line.why = state, why
        self.link.turn(at, ())
        return self.records.told()


@pytest.fixture
def ground(tmp_path: Path) -> Ground3:
    return Ground3(tmp_path)


def test_nothing_is_told_while_none_is_under_way(ground: Ground3) -> None:
    assert ground.turn(1.0, "up") is None
    assert ground.link.wait(1.0) == 1000.0
    assert not ground.link.under_way()


def test_each_step_to_the_master_is_told(ground: Ground3) -> None:
    ground.records.write_order(ORDER)

    assert ground.turn(1.0, why="not tried yet") == Told("this run", why="not tried yet")
    assert ground.turn(2.0, "greeting") == Told("this run", taken=True)
    assert ground.turn(3.0, "away", "no lease within 60 s") == Told(
        "this run", taken=True, why="no lease within 60 s"
    )
    assert ground.turn(4.0, "up") == Told("this run", taken=True, reached=True)
    assert ground.link.wait(4.0) == EVERY


def test_the_master_is_told_at_once_when_one_begins(ground: Ground3) -> None:
    """The old agent has seconds left: its next Health would be too late."""
    ground.turn(1.0, "up")
    assert ground.beats == 0
    ground.records.write_order(ORDER)
    ground.turn(1.1, "up")
    ground.turn(2.1, "up")

    assert ground.beats == 1


def test_why_the_master_turned_it_away_is_told_until_it_does_not(ground: Ground3) -> None:
    ground.records.write_order(ORDER)
    ground.turn(1.0, "greeting")

    assert ground.turn(2.0, "away", REFUSED) == Told(
        "this run", taken=True, refused=REFUSED, why=REFUSED
    )
    told = ground.turn(3.0, "opening", "nothing came for 45 s")
    assert told is not None
    assert told.refused == REFUSED, "it was turned away, and nothing has changed that"
    told = ground.turn(4.0, "up")
    assert told is not None
    assert told.refused == ""


def test_what_was_connected_before_the_order_counts_too_since_this_run_made_it(
    ground: Ground3,
) -> None:
    ground.turn(1.0, "up")
    ground.records.write_order(ORDER)

    assert ground.turn(2.0, "up") == Told("this run", taken=True, reached=True)


def test_an_upgrader_that_does_not_run_is_started_again_and_again(ground: Ground3) -> None:
    ground.records.write_order(ORDER)
    ground.answer = "no bus"
    for at in (0.0, 1.0, START_AGAIN - 1, START_AGAIN, START_AGAIN + 1):
        ground.turn(at)
        ground.loop.worker.run(None)

    assert len(ground.starts) == 2
    assert ground.loop.complaints == ["the upgrade of the agent does not go on: no bus"] * 2


def test_once_it_has_ended_its_unit_is_taken_away_and_the_document_gone_on_with(
    ground: Ground3,
) -> None:
    unit = ground.folder / "units" / NAME
    unit.write_text("")
    (ground.folder / "units" / WANTS / NAME).symlink_to(unit)
    ground.records.write_order(ORDER)
    ground.turn(1.0, "up")
    ground.loop.worker.jobs.clear()
    ground.records.end(Ended("2", "b" * 64, 1, done=True, why="", at=5.0))
    ground.turn(2.0, "up")

    assert len(ground.loop.worker.jobs) == 1
    ground.turn(3.0, "up")
    assert len(ground.loop.worker.jobs) == 1, "once"
    (job, _ended) = ground.loop.worker.jobs[0]

    @dataclass
    class Keeper:
        trouble: str = "nothing can be read"

    with pytest.raises(AttributeError):  # the status of a keeper that is none
        job(Keeper())
    assert not unit.exists()
    assert list((ground.folder / "units" / WANTS).iterdir()) == []


@pytest.mark.parametrize("under_way", [True, False])
def test_the_unit_of_one_that_ended_while_no_agent_ran_is_taken_away(
    ground: Ground3, under_way: bool
) -> None:
    """It has gone back, and this is the old agent: it sees nothing of it under way."""
    unit = ground.folder / "units" / NAME
    unit.write_text("")
    (ground.folder / "units" / WANTS / NAME).symlink_to(unit)
    if under_way:
        ground.records.write_order(ORDER)
    ground.link.start()
    ground.loop.worker.run(None)

    assert unit.exists() == under_way
    assert (ground.folder / "units" / WANTS / NAME).is_symlink() == under_way


@pytest.mark.parametrize("resting", [True, False])
def test_a_document_whose_upgrade_is_under_way_is_still_being_applied(resting: bool) -> None:
    """So the master is patient, and nobody calls the node well before it is decided."""
    worker: Worker[Keeper] = Worker(lambda: cast(Keeper, None))
    agent = Agent(
        worker,
        (),
        Clocks(lambda: 5.0, lambda: 5.0, lambda: 5.0),
        Turns(),
        cast(Supervised, None),
        lambda _: None,
        status=Status(cluster="c", node="n", state="converged", version=1),
        resting=lambda: resting,
    )
    health = AgentDeeds(agent, lambda: Vitals(0, 0, 0)).health(b"")

    assert health.state == (UPGRADING if resting else "converged")
