"""The worker: one thread that does the keeper's jobs, so that the poll loop never waits for them.

Jobs are done in the order in which they came. What they tell comes back to the loop through a
descriptor; the loop calls collect() when it is readable, and only the loop's thread runs what
was posted. A job that raises is told as its exception; the thread goes on.
"""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")
Ended = Callable[[T | Exception], None]


class Worker(Generic[K]):
    """A thread with something of its own (`K`), made in it by `make`."""

    def __init__(self, make: Callable[[], K]) -> None:
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._posted: deque[Callable[[], None]] = deque()
        self._jobs: SimpleQueue[Callable[[K], None] | None] = SimpleQueue()
        self._make = make
        self.signs = 0  # of life: how often something was posted, about
        self.waiting = 0  # jobs submitted and not ended; changed by the loop's thread alone
        self._thread = Thread(target=self._work, name="keeper", daemon=True)

    def start(self, failed: Callable[[Exception], None]) -> None:
        """Start the thread. `failed` is posted when what it works on cannot be made."""
        self._failed = failed
        self._thread.start()

    def fileno(self) -> int:
        """Give the descriptor that is readable when something was posted."""
        return self._wake

    def submit(self, job: Callable[[K], T], ended: Ended[T]) -> None:
        """Have a job done, and `ended` called in the loop's thread with what it gave or raised."""
        self.waiting += 1

        def run(mine: K) -> None:
            result: T | Exception
            try:
                result = job(mine)
            except Exception as error:  # noqa: BLE001  # whatever it is, the loop tells it
                result = error
            self.post(lambda: self._end(ended, result))

        self._jobs.put(run)

    def post(self, call: Callable[[], None]) -> None:
        """Have something called in the loop's thread; from any thread."""
        self._posted.append(call)
        self.signs += 1
        os.eventfd_write(self._wake, 1)

    def wait(self) -> None:
        """Wait until something was posted; for who has no loop."""
        select.select([self._wake], [], [])

    def collect(self) -> None:
        """Call all that was posted; in the loop's thread."""
        try:
            os.eventfd_read(self._wake)
        except BlockingIOError:
            return
        while self._posted:
            self._posted.popleft()()

    def stop(self, timeout: float) -> bool:
        """Let the job in hand end and stop; False: it did not within `timeout` seconds."""
        self._jobs.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _end(self, ended: Ended[T], result: T | Exception) -> None:
        self.waiting -= 1
        ended(result)

    def _work(self) -> None:
        try:
            mine = self._make()
        except Exception as error:  # noqa: BLE001  # told to the loop, which ends the agent
            failed = error
            self.post(lambda: self._failed(failed))
            return
        while (job := self._jobs.get()) is not None:
            job(mine)
