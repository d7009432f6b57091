"""What listening costs, and how it stands to the goals. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from saltern_master.bench.figures import GOAL_GROWTH_MIB, MIB, Row
from saltern_master.bench.site import Site
from saltern_master.bench.tables import aligned, goal_lines, goal_table, head_of, marked

GOAL_PERCENT = 0.3  # of one core, at rest
GOAL_OUTBOX = 1000  # items that wait at most, in a storm of 10,000 changes

HOW = """\
## What was measured, and how

* A worker of a lab with all that a worker has (`master/saltern_master/bench/drift/cluster.yaml`),
  joined to a master and part of a cluster. The probe runs beside the agent and reads `/proc`.
* **At rest**: CPU of all threads of the agent and of the programs that it ran, while somebody
  rewrites fifty chains of his own in the agent's table each second, as kube-proxy does at most.
* **Events**: the times of a watched file are set again and again; it is as declared all the while.
  **Beside**: files that come and go in the directory of a watched one. Memory is
  what is of no file (Anonymous in `smaps_rollup`); watches are inotify's. Each is the least of ten
  looks within a second; before and after them the agent looked at everything.
* **Storm**: a declared file is changed so often within a second. What then is told, open or not, is
  what stands there; the outbox is counted in the agent's journal ten times meanwhile, and after.
"""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What may not grow: bytes, and two numbers."""

    own: int
    descriptors: int
    watches: int


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; each as the probe tells it."""

    site: Site
    rest: Mapping[str, Any]
    events: Mapping[str, Any]
    beside: Mapping[str, Any]
    storm: Mapping[str, Any]


def growth(part: Mapping[str, Any]) -> tuple[float, int, int]:
    """Give by how many MiB, descriptors and watches it grew."""
    before, after = (msgspec.convert(part[key], Sizes) for key in ("before", "after"))
    return (
        (after.own - before.own) / MIB,
        after.descriptors - before.descriptors,
        after.watches - before.watches,
    )


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal."""
    percent, storm = figures.rest["percent"], figures.storm
    told = storm["declared"] != storm["open"]
    found = "is what stands there" if told else "is not what stands there"
    return (
        Row(
            f"CPU of the agent at rest, over {figures.rest['seconds']:.0f} s",
            f"{percent:.2f} %",
            f"<= {GOAL_PERCENT:g} %",
            percent <= GOAL_PERCENT,
        ),
        *_growth(f"over {figures.events['count']} events", figures.events),
        *_growth(f"over {figures.beside['count']} files beside", figures.beside),
        Row(
            f"the last state, after {storm['count']} changes in {storm['seconds']:.1f} s",
            found,
            "told",
            told,
        ),
        Row(
            "items in the outbox at most",
            f"{storm['outbox']}",
            f"<= {GOAL_OUTBOX}",
            storm["outbox"] <= GOAL_OUTBOX,
        ),
        *_growth("over the storm", storm)[1:],
    )


def _growth(what: str, part: Mapping[str, Any]) -> tuple[Row, ...]:
    memory, descriptors, watches = growth(part)
    return (
        Row(f"growth of memory {what}", f"{memory:+.2f} MiB", "none", memory <= GOAL_GROWTH_MIB),
        Row(f"more descriptors {what}", f"{descriptors}", "none", descriptors <= 0),
        Row(f"more inotify watches {what}", f"{watches}", "none", watches <= 0),
    )


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    yield ""
    yield from aligned(_table(figures))


def page(figures: Figures) -> str:
    """Give it as a page in Markdown."""
    return "\n".join(
        (
            *head_of("What listening costs", figures.site),
            "",
            *marked(goal_table(rows(figures))),
            "",
            *marked(_table(figures)),
            "",
            HOW,
        )
    )


def _table(figures: Figures) -> list[tuple[str, ...]]:
    parts = {
        "at rest": figures.rest,
        "events": figures.events,
        "files beside": figures.beside,
        "storm": figures.storm,
    }
    found: list[tuple[str, ...]] = [
        ("", "seconds", "memory before, MiB", "after", "descriptors", "watches")
    ]
    for name, part in parts.items():
        before, after = (msgspec.convert(part[key], Sizes) for key in ("before", "after"))
        found.append(
            (
                name,
                f"{part['seconds']:.1f}",
                f"{before.own / MIB:.2f}",
                f"{after.own / MIB:.2f}",
                f"{after.descriptors}",
                f"{after.watches}",
            )
        )
    return found
