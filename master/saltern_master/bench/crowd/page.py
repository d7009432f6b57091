"""The crowd's figures for a reader: lines for a terminal, a page of docs/measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from saltern_master.bench.crowd.body import CHANGES, RESOURCES, STANDING
from saltern_master.bench.crowd.figures import Figures, rows, table
from saltern_master.bench.tables import aligned, goal_lines, goal_table, head_of, marked

SALT = (
    ("Salt 3007.9, measured elsewhere", ""),
    ("no-op, to the last of 50", "9.0 s"),
    ("CPU of a minion for it", "0.27 s"),
    ("one changed file", "13.4 s"),
    ("memory of a minion", "68 MiB"),
)

HOW = f"""\
## What was measured, and how

* One master (`saltern master run`, core and front) and so many agents (`saltern-agent run`) on
  one machine and its loopback, with nothing else on it. Each agent is a process with --config,
  --state, --run and --root of its own; it joined with a token of its own by `saltern-agent join`.
* Each node has {RESOURCES} resources: ten small files in five directories, and {len(STANDING)}
  directories that stand already and need nothing. A first apply makes {CHANGES} changes on each.
  The one changed file is the same file on every node, so every node gets a new document.
* **Answered**: from the HTTP request at the master's socket to its answer: read, compiled, signed,
  stored. **Last**: to the word of the last node, as the same client reads it from the turn's
  events. A no-op is looked at on every node: nothing is taken from memory.
* A run counts only if every node told what was expected of it; else there is no page.
* **CPU** is that of all threads of a process (`/proc/PID/task/*/schedstat`) from before the request
  until 0.2 s after the last word; of agents the mean. What they do at rest is in it.
* **Memory** is PSS (`smaps_rollup`) at the end: what agents share counts in shares.
* **Joining** is one machine after the other: a token, `saltern-agent join`, then all agents are
  started together; to the moment at which the master calls all of them connected.
* The figures of Salt are of its 3007.9 on two such cores with the same resources, as they were
  given to this project; they were not measured here.
"""


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    yield ""
    yield from aligned(table(figures))
    yield ""
    yield from (f"{name}: {value}" for name, value in _more(figures))
    yield ""
    yield from aligned(SALT)


def page(figures: Figures) -> str:
    """Give it as a page in Markdown."""
    return "\n".join(
        (
            *head_of(f"{figures.size} agents at one master", figures.site),
            "",
            *marked(goal_table(rows(figures))),
            "",
            *marked(table(figures)),
            "",
            *(f"* {name}: {value}" for name, value in _more(figures)),
            "",
            *marked(SALT),
            "",
            HOW,
        )
    )


def _more(figures: Figures) -> Iterator[tuple[str, str]]:
    memory = figures.memory
    yield "joining, all of them", f"{figures.join_seconds:.1f} s"
    yield "memory of an agent", f"{memory.agent:.1f} MiB PSS (largest {memory.largest_agent:.1f})"
    yield "memory of the master", f"core {memory.core:.1f} MiB, front {memory.front:.1f} MiB PSS"
