"""Holding: for how long drift is told and left alone, since somebody works on the node.

* A hold is the master's signed word and comes by a lease (link/); here it is believed already.
* In this run its end is a time of the monotonic clock; hold_record.py says how a restart knows it.
* Leases tell the same hold again and again, each with what is left: an end at most SAME away from
  the known one is that one, so that what people are told of it stays what it was.
* While it is in force no look changes anything on the node; documents and the boot are not held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from saltern_protocol.errors import printable
from saltern_protocol.lease import Hold

from saltern_agent.hold_record import Held

SAME: Final = 5.0  # seconds


@dataclass(slots=True)
class Holding:
    """The hold in force, if there is one. One thread uses one Holding."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]
    held: Held | None = None
    ended: bool = False  # one ended, and nothing was looked at since

    def load(self, kept: Held | None, rebooted: bool) -> Held | None:
        """Take up what the journal has; gives what it should have."""
        left = kept.left(self.wall(), self.monotonic(), rebooted) if kept else 0.0
        if kept is None or not left:
            self.held, self.ended = None, False
        else:
            self.held = Held(
                self.wall(), self.wall() + left, self.monotonic() + left, kept.why, kept.by
            )
        return self.held

    def give(self, hold: Hold | None, since: float) -> bool:
        """Hear what a lease says, whose nonce was sent at `since` (monotonic). True: it is news."""
        before = self.current()
        left = hold.left - (self.monotonic() - since) if hold is not None else 0.0
        if hold is None or left <= 0:
            self.held = None
            self.ended = self.ended or before is not None
            return before is not None
        wall, end = self.wall(), self.monotonic() + left
        if before is not None and _same(before, hold, end):
            return False
        self.held = Held(wall, wall + left, end, hold.why, hold.by)
        self.ended = False
        return True

    def current(self) -> Held | None:
        """Give the hold in force."""
        if self.held is not None and self.held.monotonic <= self.monotonic():
            self.held, self.ended = None, True
        return self.held

    def left(self) -> float:
        """Give the seconds until it ends; 0: there is none."""
        held = self.current()
        return held.monotonic - self.monotonic() if held else 0.0

    def take_ended(self) -> bool:
        """Say once that one ended: then everything is looked at."""
        self.current()
        ended, self.ended = self.ended, False
        return ended


def words(held: Held) -> str:
    """Say why drift is left alone."""
    began, until = (datetime.fromtimestamp(at, UTC) for at in (held.began, held.until))
    end = f"{until:%H:%M}" if began.date() == until.date() else f"{until:%Y-%m-%d %H:%M}"
    return f"held until {end} UTC by {printable(held.by)}: {printable(held.why)}"


def _same(held: Held, hold: Hold, end: float) -> bool:
    """Say whether a lease tells the hold that is known, and not a shorter or a longer one."""
    return (held.why, held.by) == (hold.why, hold.by) and abs(held.monotonic - end) <= SAME
