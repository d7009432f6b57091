"""What the master was told during a soak: planted, or false. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from saltern_master.api.service import DriftView
from saltern_master.bench.figures import Row
from saltern_master.bench.site import Site
from saltern_master.bench.tables import aligned, goal_lines, goal_table, head_of, marked

GOAL_SEEN = 2.0  # seconds
NEAR = 10.0  # seconds after it was planted in which the record is of it

HOW = """\
## What was done, and how

* Three nodes of a lab as `make demo` has them, and a Deployment on them. Turn by turn, all the
  while: it is scaled; a Service comes and one goes, for which kube-proxy rewrites its chains in the
  tables that ours are in; docker restarts a container; all pods are deleted and come again.
* Two damages were planted, after a third of the time and shortly before its end. A record is of
  a damage if it is of its node and resource, at most {near:.0f} s after it was planted. Every
  other record is false, open or ended.
* **Seen**: from before the damage to when one who follows drift at the master was told.
"""


class Planted(msgspec.Struct, frozen=True, kw_only=True):
    """A damage that was done on purpose."""

    at: float  # wall clock
    after: float  # seconds of the soak
    node: str
    resource: str
    told: float = 0.0  # wall clock; 0: never
    healed: bool = False


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it."""

    site: Site
    seconds: float
    done: Mapping[str, int]
    refused: Mapping[str, int]
    planted: tuple[Planted, ...]
    false: tuple[DriftView, ...]


def is_of(drift: DriftView, planted: Planted) -> bool:
    """Say whether a record is of a damage."""
    same = (drift.node, drift.resource) == (planted.node, planted.resource)
    return same and 0 <= drift.recorded - planted.at <= NEAR


def false_of(told: tuple[DriftView, ...], planted: tuple[Planted, ...]) -> tuple[DriftView, ...]:
    """Give the records that are of nothing that was planted, as they stood last."""
    last = {(one.node, one.number): one for one in told}
    return tuple(one for one in last.values() if not any(is_of(one, each) for each in planted))


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal."""
    number = len(figures.false)
    seen = tuple(
        Row(
            f"damage after {one.after / 60:.1f} min ({one.node} {one.resource}) seen",
            f"{one.told - one.at:.3f} s" if one.told else "never",
            f"<= {GOAL_SEEN:g} s, and healed",
            bool(one.told) and one.told - one.at <= GOAL_SEEN and one.healed,
        )
        for one in figures.planted
    )
    what = f"false records in {figures.seconds / 60:.1f} min"
    return (Row(what, f"{number}", "0", number == 0), *seen)


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    yield ""
    yield from aligned(_table(figures))
    yield from (_said(one) for one in figures.false)


def page(figures: Figures) -> str:
    """Give it as a page in Markdown."""
    return "\n".join(
        (
            *head_of("A cluster at work", figures.site),
            "",
            *marked(goal_table(rows(figures))),
            "",
            *marked(_table(figures)),
            "",
            *(f"* {_said(one)}" for one in figures.false),
            "",
            HOW.format(near=NEAR),
        )
    )


def _table(figures: Figures) -> list[tuple[str, ...]]:
    names = sorted({*figures.done, *figures.refused})
    head: tuple[str, ...] = ("what went on", "times", "refused")
    return [
        head,
        *((one, str(figures.done.get(one, 0)), str(figures.refused.get(one, 0))) for one in names),
    ]


def _said(one: DriftView) -> str:
    return f"FALSE: {one.node} {one.resource} ({one.seen}): {'; '.join(one.found)}: {one.outcome}"
