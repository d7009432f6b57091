"""Many machines at once: each in a thread of its own, so that the slow hold up nobody.

* At most AT_ONCE at a time: an ssh server turns beginners away beyond some ten (MaxStartups), and
  a jump host in between is one server for all.
* Whatever a machine does, the others go on; an interrupt begins nothing new, and waits for what
  has begun: the ssh processes hear of it too, and end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event
from typing import Final

from saltern_master.joining.adding import Added, Around, StepError, add
from saltern_master.joining.hosts import Machine

AT_ONCE: Final = 8


def add_all(
    machines: Sequence[Machine], around: Around, ended: Callable[[Added], None]
) -> tuple[Added, ...]:
    """Make machines nodes; gives what became of each, in order. `ended`: from any thread."""

    stop = Event()

    def pause(seconds: float) -> None:
        around.pause(seconds)
        if stop.is_set():
            raise StepError("it was interrupted")

    def one(machine: Machine) -> Added:
        added = _added(machine, replace(around, pause=pause))
        ended(added)
        return added

    threads = ThreadPoolExecutor(AT_ONCE, "adding")
    try:
        return tuple(threads.map(one, machines))
    finally:
        stop.set()
        threads.shutdown(wait=True, cancel_futures=True)


def _added(machine: Machine, around: Around) -> Added:
    try:
        return add(machine, around)
    except Exception as error:  # noqa: BLE001  whatever it is, it is this machine's alone
        why = f"an error of saltern itself: {error!r}; what it was at there may be half done"
        return Added(name=machine.name, host=machine.host, result="failed", why=why)
