"""Wait for what a source tells, by its descriptor and with a deadline; starve it of descriptors."""

from __future__ import annotations

import os
import resource
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from saltern_agent.sources import Events, Source
from saltern_states.contract import Watch

DEADLINE_SECONDS = 10.0


def readable(source: Source, seconds: float) -> bool:
    """Say whether the descriptor becomes readable within so many seconds."""
    poll = select.poll()
    poll.register(source.fileno(), select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def drain(source: Source) -> Events:
    """Give all that is there to be read now, as one."""
    touched: set[Watch] = set()
    causes: dict[Watch, str] = {}
    lost = False
    while readable(source, 0):
        events = source.read()
        touched |= events.touched
        causes |= events.causes
        lost = lost or events.lost
    return Events(frozenset(touched), lost, causes)


def wait_for(source: Source, enough: Callable[[Events], bool]) -> Events:
    """Read until enough is told; the test fails where that does not come in time."""
    touched: set[Watch] = set()
    causes: dict[Watch, str] = {}
    lost = False
    deadline = time.monotonic() + DEADLINE_SECONDS
    while (left := deadline - time.monotonic()) > 0:
        if not readable(source, left):
            break
        events = source.read()
        touched |= events.touched
        causes |= events.causes
        lost = lost or events.lost
        if enough(so_far := Events(frozenset(touched), lost, causes)):
            return so_far
    raise AssertionError(f"told only {touched}, lost={lost}, causes={causes}")


@contextmanager
def few_descriptors(number: int) -> Iterator[None]:
    """Let this process open only so many more, of the lowest that are free."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    held = [os.open("/dev/null", os.O_RDONLY) for _ in range(number + 1)]
    for descriptor in held:
        os.close(descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, (held[-1], before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
