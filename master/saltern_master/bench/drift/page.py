"""The drift's figures for a reader: lines for a terminal, a page of docs/measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from saltern_master.bench.drift.figures import Figures, rows, table
from saltern_master.bench.tables import aligned, goal_lines, goal_table, head_of, marked

HOW = """\
## What was measured, and how

* A control plane and a worker of a lab (systemd-nspawn on this machine) that have joined a master
  on the same machine; the cluster file is `master/saltern_master/bench/drift/cluster.yaml`.
  The worker is broken in each way, again and again, each time after the last was healed.
* All times are wall clock time of the one machine. They count from the moment *before* the damage
  was begun, also where a program does it whose start takes ten milliseconds ("itself" says how long
  it took). Where a program takes longer than the goal by itself ("from its end"), they count from
  when it had ended; what was there before counts as 0.
* **Noticed**: the record's `since`: the agent took the event. **Recorded**: it began to write it.
  **Stored**: one who follows drift at the master's API was told, which is after the commit of the
  master's store; so the API's own way is in it.
* **Healed**: the record's end by the node's clock: the resource was set right and looked at again.
  **Repair**: from the beginning of its first change to the look that found it as declared, as the
  agent's log says. **Beyond**: the first less the second.
* **Mended by hand**: the agent follows no symlink and replaces no mount; it tells, and says what to
  do. The probe does that, and the time to the record's end is counted from there.
* **No event**: the kernel tells nobody; what it shows is read every second.
* The p99 is the nearest rank: of fewer than 100 runs it is the worst.
"""


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    yield ""
    yield from aligned(table(figures), words=2)


def page(figures: Figures) -> str:
    """Give it as a page in Markdown."""
    return "\n".join(
        (
            *head_of("Drift", figures.site),
            "",
            *marked(goal_table(rows(figures))),
            "",
            *marked(table(figures)),
            "",
            HOW,
        )
    )
