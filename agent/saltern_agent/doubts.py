"""Doubts: what a look found, and what is better not called drift yet."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Final

from saltern_states.body import Body
from saltern_states.ports import Host, HostError
from saltern_states.unit import Unit
from saltern_states.unit_changes import StartUnit

from saltern_agent.plan import Planned

DOUBT: Final = 1.0
"""Seconds after which what could not be read is looked at once more."""


@dataclass(slots=True)
class Doubts:
    """What could not be read at its last look, and what a node on its way up or down explains."""

    host: Host
    doubted: set[str] = field(default_factory=set)

    def seen_twice(
        self, found: tuple[Planned, ...], drifted: tuple[Planned, ...], known: Set[str]
    ) -> tuple[Planned, ...]:
        """Leave out what cannot be read for the first time: nothing is known to have drifted.

        A bus that starts anew, or dies a moment before the agent, is not the fault of every
        unit. What still cannot be read DOUBT seconds later is told. `known`: drift that is open.
        """
        mute = {one.step.resource.id for one in found if one.finding == "unreadable"}
        first = mute - self.doubted - known
        self.doubted -= {one.step.resource.id for one in found}
        self.doubted |= mute
        return tuple(one for one in drifted if one.step.resource.id not in first)

    def not_to_come(self, drifted: tuple[Planned, ...]) -> tuple[Planned, ...]:
        """Leave out the units that a boot has not come to yet: systemd starts them in its order.

        Each tells by an event when it starts or fails, and is looked at then.
        """
        waiting = tuple(one for one in drifted if _is_to_start(one))
        try:
            booting = bool(waiting) and self.host.units.starting_up()
        except HostError:  # no systemd answers: then it starts nothing either
            booting = False
        return tuple(one for one in drifted if one not in waiting) if booting else drifted

    def to_come(self, body: Body, following: Set[str]) -> frozenset[str]:
        """Give those of the units that a boot starts in a moment: no wake starts them before."""
        units = {
            one.id: one.spec.unit
            for one in body.resources
            if one.id in following and isinstance(one.spec, Unit)
        }
        try:
            if not units or not self.host.units.starting_up():
                return frozenset()
            state = self.host.units.state
            return frozenset(one for one in units if state(units[one]).active == "inactive")
        except HostError:  # no systemd answers: then it starts nothing either
            return frozenset()

    def shutting_down(self) -> bool:
        """Say whether the system is on its way down."""
        try:
            return self.host.units.shutting_down()
        except HostError:  # no systemd answers: then it stops nothing either
            return False

    def retries(self, known: Set[str]) -> dict[str, float]:
        """Give what is looked at once more, and in how many seconds."""
        return dict.fromkeys(self.doubted - known, DOUBT)


def _is_to_start(planned: Planned) -> bool:
    """Say whether all that a unit lacks is to be started."""
    return planned.finding == "to change" and all(
        isinstance(change, StartUnit) for change in planned.changes
    )
