"""A stream of events followed until its last one, or until the time ends.

Events are read in a thread apart, since a read of a socket cannot be given up.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Final, TypeVar

from saltern_master.api.service import ServiceError

E = TypeVar("E")
Begin = Callable[[], AbstractContextManager[Iterator[E]]]


STEP: Final = 1.0
"""Seconds without an event after which a caller may look around."""


def events_until(
    begin: Begin[E],
    is_last: Callable[[E], bool],
    deadline: float,
    idle: Callable[[], None] = lambda: None,
) -> Iterator[E]:
    """Give events to the last one, or until `deadline` (monotonic). ServiceError.

    `idle` is called about each second in which nothing happens.
    """
    read: queue.SimpleQueue[E | ServiceError | None] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(begin, read), daemon=True).start()
    while (left := deadline - time.monotonic()) > 0:
        try:
            event = read.get(timeout=min(left, STEP))
        except queue.Empty:
            idle()
            continue
        if isinstance(event, ServiceError):
            raise event
        if event is None:
            text = "cannot follow it any further: the master stopped; it goes on when it is back"
            raise ServiceError("unavailable", text)
        yield event
        if is_last(event):
            return


def _read(begin: Begin[E], into: queue.SimpleQueue[E | ServiceError | None]) -> None:
    try:
        with begin() as events:
            for event in events:
                into.put(event)
        into.put(None)
    except ServiceError as error:
        into.put(error)
