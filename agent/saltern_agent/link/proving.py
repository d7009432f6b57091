"""Proving: the link of a node whose changes have to be confirmed (confirm.py).

* What is open is proved by a lease over a connection that was set out for after it was opened; an
  old connection proves nothing, so the link leaves it: at the end of the apply, or after QUIET
  seconds in which nothing more came of an apply that goes on.
* Whoever asks for a certificate meanwhile waits until the new connection is there: an apply that
  goes on is not hindered by the proof of what it did before.
* Once the time is over the worker is told to take back; whether that is so the keeper decides.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Container
from typing import Final, Protocol

from saltern_agent.confirm import Proof, Window
from saltern_agent.keeper import Keeper
from saltern_agent.loop import Agent, Link
from saltern_agent.status import LinkStatus, Status, status_of
from saltern_agent.taking_back import take_back

QUIET: Final = 15.0
AGAIN: Final = 1.0
COMING: Final = 10.0
"""Seconds for which the keeper waits for a connection that is opened anew."""


class Line(Link, Protocol):
    """What it needs of the link that speaks (link.py)."""

    @property
    def opened(self) -> int:
        """How many connections were set out for."""
        ...

    @property
    def leased(self) -> int:
        """The number of the connection over which a lease came and which still stands; 0: none."""
        ...

    @property
    def asking(self) -> bool:
        """Whether a certificate was asked for, and has not come."""
        ...

    def anew(self) -> None:
        """Leave the connection, and open another one at once."""
        ...

    def issue(self, resource: str, csr: bytes) -> bytes:
        """Have the master certify a key. HostError."""
        ...

    def unreached(self) -> str:
        """Say why the master would be asked in vain; "" where not."""
        ...


class ProvingLink:
    """A link that proves. All but `issue` and `unreached` is for the loop's thread."""

    def __init__(self, link: Line, agent: Agent, proof: Proof) -> None:
        self._link, self._agent, self._proof = link, agent, proof
        self._window: Window | None = None
        self._mark = 0  # the newest connection when the window was told; a later one proves
        self._leave_at = math.inf
        self._end_at = math.inf
        self._there = threading.Event()  # no connection is being opened to prove something
        self._there.set()

    def opened(self, window: Window | None) -> None:
        """Something stands unproved; None: nothing does any more."""
        if window is not None and window.number <= self._proof.number:
            return  # the proof came while this was on its way
        before, self._window = self._window, window
        if window is None:
            self._leave_at = self._end_at = math.inf
            self._there.set()
            if not self._link.leased:
                self._link.anew()  # what hindered the last attempt may be taken back
            return
        now = self._agent.clocks.monotonic()
        if before is None or before.number != window.number:
            self._mark = self._link.opened
        self._leave_at = now + (0.0 if window.at_once else QUIET)
        self._end_at = window.until

    def start(self) -> None:
        """Begin."""
        self._link.start()

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors to poll."""
        return self._link.filenos()

    def wait(self, monotonic: float) -> float:
        """Give the seconds until something is due."""
        due = min(self._leave_at, self._end_at)
        return min(self._link.wait(monotonic), max(0.0, due - monotonic))

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Take what has come, and see what that proves."""
        self._link.turn(monotonic, woken)
        if self._link.leased > self._mark:
            self._there.set()
            if self._window is not None:
                self._prove(self._window)
        if self._leave_at <= monotonic:
            self._leave(monotonic)
        if self._end_at <= monotonic:
            self._end_at = math.inf
            take_back(self._agent)

    def status(self) -> LinkStatus | None:
        """Say how it stands."""
        return self._link.status()

    def stop(self) -> None:
        """End."""
        self._link.stop()

    def issue(self, resource: str, csr: bytes) -> bytes:
        """Have the master certify a key; for the keeper's thread. HostError."""
        self._there.wait(COMING)
        return self._link.issue(resource, csr)

    def unreached(self) -> str:
        """Say why the master would be asked in vain; for the keeper's thread."""
        self._there.wait(COMING)
        return self._link.unreached()

    def _leave(self, monotonic: float) -> None:
        """Leave the connection that is older than what is to be proved, if it still is."""
        self._leave_at = math.inf
        if self._link.opened > self._mark:
            return
        if self._link.asking:
            self._leave_at = monotonic + AGAIN
            return
        self._there.clear()
        self._link.anew()

    def _prove(self, window: Window) -> None:
        """A lease came over a new connection."""
        self._window, self._leave_at, self._end_at = None, math.inf, math.inf

        def job(keeper: Keeper) -> Status:
            keeper.confirm()
            return status_of(keeper)

        def over(result: Status | Exception) -> None:
            if isinstance(result, Exception):
                self._agent.fail(result)
            else:
                self._agent.show(result)

        self._proof.number = window.number
        self._agent.worker.submit(job, over)
