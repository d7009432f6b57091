"""How a part is told, from what it was found to be again and again. Pure.

* What is sure is told at once: a unit that is stopped, a disk that is full.
* An answer that failed to come counts only when it fails to come twice in a row: one lost probe of
  a unit that runs is not told.
* `since` is the first moment of a state, whatever else its reason becomes. A part that fell again
  within FLAPS keeps the moment of its first fall; one that fell MOST_FALLS times within FLAPS is
  told as degraded while it is good.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from saltern_protocol.condition import State

from saltern_agent.health.values import Judged

FLAPS: Final = 600.0  # seconds
MOST_FALLS: Final = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """A time by the wall clock, and by one that nobody sets. Seconds."""

    wall: float
    steady: float


@dataclass(frozen=True, slots=True)
class Kept:
    """How a part is told, and what that rests on."""

    state: State
    why: str
    since: Moment
    lost: bool = False  # the last answer failed to come, and was passed over
    well: bool = True  # as it was last found, whatever is told
    falls: tuple[Moment, ...] = ()  # from good to something else, lately


def damped(kept: Kept | None, found: Judged, now: Moment) -> Kept:
    """Give how a part is told now."""
    if kept is None:
        return _first(found, now)
    if not found.sure and kept.well and not kept.lost:
        return replace(kept, lost=True)
    well = found.state is State.GOOD
    falls = tuple(one for one in kept.falls if now.steady - one.steady < FLAPS)
    if kept.well and not well:
        falls = (*falls, now)
    state, why = found.state, found.why
    if well and len(falls) >= MOST_FALLS:
        state, why = State.DEGRADED, "it comes and goes; it is good just now"
    since = kept.since if state is kept.state else now
    if state is not State.GOOD and len(falls) > 1:
        since = falls[0]
    return Kept(state, why, since, well=well, falls=falls)


def _first(found: Judged, now: Moment) -> Kept:
    """Take the first that is found: where it is not sure it is not known yet."""
    if not found.sure:
        return Kept(State.UNKNOWN, found.why, now, lost=True)
    return Kept(found.state, found.why, now, well=found.state is State.GOOD)
