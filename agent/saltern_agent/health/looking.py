"""One round: everything that a node has to have is looked at, and each part judged.

For a thread of its own: programs that hang are waited for, ANSWER_SECONDS each. A part whose look
fails is unknown, and says why; the others are told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Protocol

from saltern_protocol.condition import State
from saltern_protocol.errors import printable

from saltern_agent.health import judging
from saltern_agent.health.asking import ask_containers, ask_http, ask_units, ping_docker
from saltern_agent.health.values import Answer, Judged, Service, UnitSeen, Wanted
from saltern_agent.host.dbus import Bus
from saltern_agent.host.ends import Ends
from saltern_agent.host.machine import is_synchronised, keeps_clock, read_disks, read_machine

Found = tuple[tuple[str, Judged], ...]
"""Parts by name, what others rest on first."""


class Looks(Protocol):
    """What looks at a node, in a thread of its own."""

    def look(self, wanted: Wanted) -> Found:
        """Look at all that is wanted, and judge it."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


class Looking:
    """Looks at one machine, again and again. `root`: the directory that stands for its "/"."""

    def __init__(self, clock: Callable[[], float], root: Path) -> None:
        self._clock = clock
        self._bus, self._ends = Bus(), Ends(root)

    def look(self, wanted: Wanted) -> Found:
        """Look at all of it."""
        return tuple((name, _judged(judge)) for name, judge in self._parts(wanted))

    def close(self) -> None:
        """Let go of the bus."""
        self._bus.close()

    def _parts(self, wanted: Wanted) -> Iterator[tuple[str, Callable[[], Judged]]]:
        yield "machine", lambda: judging.machine(read_machine())
        yield "disk", lambda: judging.disk(read_disks(wanted.disks))
        if keeps_clock():
            yield "clock", lambda: judging.clock(is_synchronised())
        units = ask_units(self._bus, [one.unit for one in wanted.services if one.unit])
        for service in wanted.services:
            yield service.name, partial(_service, service, units.get(service.unit))
        if wanted.pods:
            yield (
                "static-pods",
                lambda: judging.pods(wanted.pods, ask_containers(wanted.pods), self._clock()),
            )
        if wanted.certificates:
            yield (
                "certificates",
                lambda: judging.certificates(self._ends.look(wanted.certificates), self._clock()),
            )


def _judged(judge: Callable[[], Judged]) -> Judged:
    """Give what a judge says; what it cannot read is no news of the part itself."""
    try:
        return judge()
    except (OSError, ValueError) as error:
        return Judged(State.UNKNOWN, printable(f"it cannot be looked at: {error}")[:500], False)


def _service(asked: Service, unit: UnitSeen | None) -> Judged:
    runs = unit is None or unit.active in ("active", "reloading")
    return judging.service(asked, unit, _answer(asked) if runs else None)


def _answer(asked: Service) -> Answer | None:
    if asked.name == "docker":
        return ping_docker()
    return ask_http(asked.endpoint) if asked.endpoint is not None else None
