"""What was measured of drift, and how it stands to the goals. Pure.

All times are milliseconds. `zero` is when the damage stood: the moment before it was begun, or,
for what a program does longer than the goal by itself, when that program had ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

import msgspec

from saltern_master.bench.figures import Row, quantile
from saltern_master.bench.site import Site

GOAL_STORED = 50.0  # where an event tells
GOAL_STORED_READ = 2000.0  # where none does
GOAL_HEALED = 100.0  # beyond the repair's own time


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One damage, as wall clock seconds of what came when."""

    begin: float
    end: float
    since: float  # the event reached the agent, or a look began
    recorded: float  # the agent began to write it down
    stored: float  # core had it, a moment before its commit
    heard: float  # who follows drift at the master had it: it was committed
    mended: float  # from when on its end is counted: `zero`, or when it was mended by hand
    healed: float
    repair: float  # milliseconds of the repair itself


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of damage, all its runs."""

    name: str
    by: str
    event: bool
    from_end: bool
    by_hand: bool  # it is mended by hand, since the agent may not
    runs: tuple[Run, ...]

    def zero(self, run: Run) -> float:
        """Give when the damage stood."""
        return run.end if self.from_end else run.begin

    def after(self, what: str) -> tuple[float, ...]:
        """Give the milliseconds from there to something; what came before the end counts as 0."""
        found = ((getattr(run, what) - self.zero(run)) * 1000 for run in self.runs)
        return tuple(max(0.0, one) for one in found)

    @property
    def stored(self) -> tuple[float, ...]:
        """Give the times to the committed record at the master."""
        return self.after("heard")

    @property
    def beyond(self) -> tuple[float, ...]:
        """Give the times to its end, less those of the repairs themselves."""
        return tuple(max(0.0, (run.healed - run.mended) * 1000 - run.repair) for run in self.runs)

    @property
    def goal(self) -> float:
        """Give within how long the record is to be in the store."""
        return GOAL_STORED if self.event else GOAL_STORED_READ


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    site: Site
    kinds: tuple[Kind, ...]


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal: the worst kind of each, and how many keep it."""
    told = [one for one in figures.kinds if one.event]
    read = [one for one in figures.kinds if not one.event]
    return (
        *_worst("the record in the master's store, p99", told, "stored", GOAL_STORED),
        *_worst("the same where no event tells, p99", read, "stored", GOAL_STORED_READ),
        *_worst("healed, beyond the repair itself, p99", told, "beyond", GOAL_HEALED),
        _together("the same of all kinds with an event together", told, "stored", GOAL_STORED),
    )


def missed(kind: Kind) -> str:
    """Name the goals that a kind of damage misses."""
    found = []
    if quantile(kind.stored, 0.99) > kind.goal:
        found.append("stored")
    if kind.event and quantile(kind.beyond, 0.99) > GOAL_HEALED:
        found.append("healed")
    return ", ".join(found)


def table(figures: Figures) -> list[tuple[str, ...]]:
    """Give a line for each kind of damage."""
    head = ("damage, ms", "by", "runs", "itself", "noticed", "recorded", "stored", "p99")
    more = ("healed", "repair", "beyond p99", "misses")
    return [(*head, *more), *(_line(one) for one in figures.kinds)]


def _line(kind: Kind) -> tuple[str, ...]:
    itself = [(run.end - run.begin) * 1000 for run in kind.runs]
    healed = [(run.healed - run.mended) * 1000 for run in kind.runs]
    values = (
        median(itself),
        median(kind.after("since")),
        median(kind.after("recorded")),
        median(kind.stored),
        quantile(kind.stored, 0.99),
        median(healed),
        median(run.repair for run in kind.runs),
        quantile(kind.beyond, 0.99),
    )
    marks = [("no event", not kind.event), ("from its end", kind.from_end)]
    said = [word for word, holds in (*marks, ("mended by hand", kind.by_hand)) if holds]
    name = f"{kind.name} ({', '.join(said)})" if said else kind.name
    numbers = (f"{value:.1f}" for value in values)
    return (name, kind.by, str(len(kind.runs)), *numbers, missed(kind))


def _worst(what: str, kinds: Sequence[Kind], of: str, goal: float) -> Iterable[Row]:
    if not kinds:
        return
    found = {one.name: quantile(getattr(one, of), 0.99) for one in kinds}
    name = max(found, key=lambda one: found[one])
    kept = sum(value <= goal for value in found.values())
    said = f"{what}, of the slowest kind ({name}); {kept} of {len(kinds)} kinds keep it"
    yield Row(said, f"{found[name]:.1f} ms", f"<= {goal:g} ms", found[name] <= goal)


def _together(what: str, kinds: Sequence[Kind], of: str, goal: float) -> Row:
    values = [value for one in kinds for value in getattr(one, of)]
    found = quantile(values, 0.99)
    said = f"{what}: p99 of {len(values)}, median {median(values):.1f} ms"
    return Row(said, f"{found:.1f} ms", f"<= {goal:g} ms", found <= goal)
