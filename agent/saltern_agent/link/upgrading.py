"""Upgrading: the link of an agent that may be new; it tells whether its master is reached.

* While an upgrade is under way the agent writes down, for the upgrader beside it (upgrade/), what
  its link came to: that the master took its key, why it was turned away, that a lease came. Only
  this run's own connections count: a link has no others.
* Nothing is looked at meanwhile: what another process replaces is no drift. Once it has ended, what
  the document said is gone on with, and then all is looked at.
* The master is told at once when one begins: who goes away for that is not lost.
* An order whose upgrader does not run, since the agent that wrote it was killed, is started again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from saltern_agent.keeper import Keeper
from saltern_agent.link.pace import REFUSES
from saltern_agent.loop import Agent, Link
from saltern_agent.noticing import Watched, watched
from saltern_agent.status import LinkStatus, Status, status_of
from saltern_agent.upgrade.ground import Ground, tidy
from saltern_agent.upgrade.stages import Told

EVERY: Final = 1.0
START_AGAIN: Final = 30.0
TAKEN: Final = ("greeting", "up")


@dataclass(slots=True)
class UpgradingLink:
    """A link that tells. `run`: systemd's name of this run of the unit; "": none started it.

    `beat` has the master told how the agent is.
    """

    link: Link
    agent: Agent
    ground: Ground
    run: str
    beat: Callable[[], None]
    told: Told | None = None
    _under_way: bool = False
    _taken: bool = False
    _refused: str = ""
    _due: float = 0.0
    _start_at: float = field(default=0.0)

    def start(self) -> None:
        """Begin; what one left that ended while no agent ran is taken away."""
        self.link.start()
        if not self.under_way():
            self.agent.worker.submit(lambda _: tidy(self.ground), lambda _: None)

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors to poll."""
        return self.link.filenos()

    def wait(self, monotonic: float) -> float:
        """Give the seconds until something is due."""
        due = max(0.0, self._due - monotonic) if self._under_way else math.inf
        return min(self.link.wait(monotonic), due)

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Take what has come, and tell of it."""
        self.link.turn(monotonic, woken)
        before, self._under_way = self._under_way, self.under_way()
        if self._under_way:
            self._due = monotonic + EVERY
            if not before:
                self.beat()
            self._tell(self.link.status())
            self._see_that_it_runs(monotonic)
        elif before:
            self._ended()

    def status(self) -> LinkStatus | None:
        """Say how it stands."""
        return self.link.status()

    def stop(self) -> None:
        """End."""
        self.link.stop()

    def under_way(self) -> bool:
        """Say whether an upgrade is."""
        return self.ground.records.under_way()

    def _hear(self, status: LinkStatus) -> None:
        """Remember what this run's connections came to."""
        self._taken = self._taken or status.state in TAKEN
        if status.state == "up":
            self._refused = ""
        elif status.why.startswith(REFUSES):
            self._refused = status.why

    def _tell(self, status: LinkStatus | None) -> None:
        if status is not None:
            self._hear(status)
        up = status is not None and status.state == "up"
        why = "" if up or status is None else status.why
        told = Told(self.run, reached=up, taken=self._taken, refused=self._refused, why=why)
        if told != self.told:
            with suppress(OSError):  # memory that is full now may not be in a second
                self.ground.records.tell(told)
                self.told = told

    def _see_that_it_runs(self, monotonic: float) -> None:
        """Have the upgrader started; where it runs, that does nothing."""
        if monotonic < self._start_at:
            return
        self._start_at = monotonic + START_AGAIN

        def over(why: str | Exception) -> None:
            if why:
                self.agent.complain(f"the upgrade of the agent does not go on: {why}")

        self.agent.worker.submit(lambda _: self.ground.start(), over)

    def _ended(self) -> None:
        """Go on with what the document says, and look at everything."""
        self.told, self._start_at = None, 0.0

        def job(keeper: Keeper) -> tuple[Status, Watched]:
            with suppress(OSError):  # the unit stays, and does nothing
                tidy(self.ground)
            if not keeper.trouble and keeper.journal.is_unfinished():
                keeper.converge_all(self.agent.turns.newer)
            return status_of(keeper), watched(keeper.body)

        def over(result: tuple[Status, Watched] | Exception) -> None:
            if isinstance(result, Exception):
                self.agent.fail(result)
            else:
                self.agent.show(result[0])
                self.agent.follow(result[1])

        self.agent.worker.submit(job, over)
