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
  what is of no file (Anonymous in `smaps_rollup`); watches are inotify's; descriptors are counted
  by what they are of, and fewer of one kind do not make up for more of another. Each is the least
  of ten looks within a second; before and after them the agent looked at everything.
* **Storms**: a declared file is changed so often within a second, three times. What is told after
  each, open or not, is what stands there; the outbox is counted in the agent's journal ten times
  meanwhile, and after.
"""


class Sizes(msgspec.Struct, frozen=True, kw_only=True):
    """What may not grow: bytes, and two numbers; descriptors by kind as well (open_files.py)."""

    own: int
    descriptors: int
    watches: int
    kinds: Mapping[str, int]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All of it; each as the probe tells it."""

    site: Site
    rest: Mapping[str, Any]
    events: Mapping[str, Any]
    beside: Mapping[str, Any]
    storm: Mapping[str, Any]


def sides(part: Mapping[str, Any]) -> tuple[Sizes, Sizes]:
    """Give what there was before a part, and after it."""
    return msgspec.convert(part["before"], Sizes), msgspec.convert(part["after"], Sizes)


def more(before: Sizes, after: Sizes) -> dict[str, int]:
    """Give the kinds of descriptors of which there are more: fewer of another make up for none."""
    grown = {kind: number - before.kinds.get(kind, 0) for kind, number in after.kinds.items()}
    return {kind: number for kind, number in sorted(grown.items()) if number > 0}


def rows(figures: Figures) -> tuple[Row, ...]:
    """Give the figures that have a goal."""
    percent, storm = figures.rest["percent"], figures.storm
    found = "is what stands there" if storm["told"] else "is not what stands there"
    return (
        Row(
            f"CPU of the agent at rest, over {figures.rest['seconds']:.0f} s",
            f"{percent:.2f} %",
            f"<= {GOAL_PERCENT:g} %",
            percent <= GOAL_PERCENT,
        ),
        *_growth("at rest", figures.rest)[1:],
        *_growth(f"over {figures.events['count']} events", figures.events),
        *_growth(f"over {figures.beside['count']} files beside", figures.beside),
        Row(
            f"the last state, after {storm['count']} changes in {storm['seconds']:.1f} s",
            found,
            "told",
            storm["told"],
        ),
        Row(
            "items in the outbox at most",
            f"{storm['outbox']}",
            f"<= {GOAL_OUTBOX}",
            storm["outbox"] <= GOAL_OUTBOX,
        ),
        *_growth(f"over {storm['storms']} such storms", storm)[1:],
    )


def _growth(what: str, part: Mapping[str, Any]) -> tuple[Row, ...]:
    before, after = sides(part)
    memory, watches = (after.own - before.own) / MIB, after.watches - before.watches
    kinds = more(before, after)
    held = max(sum(kinds.values()), after.descriptors - before.descriptors)
    named = ", ".join(f"{number} {kind}" for kind, number in kinds.items())
    return (
        Row(f"growth of memory {what}", f"{memory:+.2f} MiB", "none", memory <= GOAL_GROWTH_MIB),
        Row(f"more descriptors {what}", named or f"{held}", "none", held <= 0),
        Row(f"more inotify watches {what}", f"{watches}", "none", watches <= 0),
    )


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    yield ""
    yield from aligned(_table(figures))
    yield ""
    yield from aligned(_kinds(figures))


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
            *marked(_kinds(figures)),
            "",
            HOW,
        )
    )


def _parts(figures: Figures) -> dict[str, Mapping[str, Any]]:
    return {
        "at rest": figures.rest,
        "events": figures.events,
        "files beside": figures.beside,
        "storms": figures.storm,
    }


def _kinds(figures: Figures) -> list[tuple[str, ...]]:
    """Give what was held open before all of it, and after each part."""
    parts = _parts(figures)
    held = [sides(figures.rest)[0], *(sides(part)[1] for part in parts.values())]
    kinds = sorted({kind for one in held for kind in one.kinds})
    return [
        ("held open", "before", *(f"after {name}" for name in parts)),
        *((kind, *(str(one.kinds.get(kind, 0)) for one in held)) for kind in kinds),
    ]


def _table(figures: Figures) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [
        ("", "seconds", "memory before, MiB", "after", "descriptors", "watches")
    ]
    for name, part in _parts(figures).items():
        before, after = sides(part)
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
