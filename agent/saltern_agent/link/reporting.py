"""Reporting: what the outbox holds on its way to the master, one Report at a time. Pure.

What was said and not acknowledged is said again over the next connection, under the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from saltern_protocol.messages import Report
from saltern_protocol.report import Applied

from saltern_agent.outbox import Batch


@dataclass(slots=True)
class Reporting:
    """The oldest of what waits, and what of it is said and has no answer."""

    batch: Batch
    first: int = 0  # of the Report that is unacknowledged; 0: there is none
    last: int = 0
    acked: int = 0

    def waits(self, batch: Batch) -> None:
        """The outbox was read. What was read before an acknowledgement was kept says nothing."""
        if not 0 < batch.first <= self.acked:
            self.batch = batch

    def next(self) -> Report | None:
        """Give what is to be said now."""
        if self.first or not self.batch.items:
            return None
        self.first, self.last = self.batch.first, self.batch.first + len(self.batch.items) - 1
        return Report(first=self.first, items=self.batch.items)

    def ack(self, seq: int) -> bool:
        """Take an acknowledgement, if it is one of what was said; numbers beyond are none."""
        if not self.first or not self.first <= seq <= self.last:
            return False
        self.acked, left = seq, self.batch.waiting - (seq - self.batch.first + 1)
        self.batch = Batch(waiting=max(0, left))  # what is left has to be read first
        self.forget()
        return True

    def forget(self) -> None:
        """The connection is gone: nothing is said yet."""
        self.first = self.last = 0


def tells_of(report: Report, turn: int) -> bool:
    """Say whether a Report has the result of a turn's document."""
    return any(isinstance(one, Applied) and one.turn == turn for one in report.items)
