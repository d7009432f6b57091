"""The packages' figures for a reader: lines for a terminal, a page of docs/measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from saltern_master.bench.packages.body import PROGRAM_BYTES, RESOURCES
from saltern_master.bench.packages.figures import Figures, rows, table
from saltern_master.bench.tables import aligned, goal_lines, goal_table, head_of, marked

HOW = f"""\
## What was measured, and how

* One freshly booted node of a lab for each release of Debian, one after the other. The .deb files
  are those that users get; dpkg installs them on the bare node, agent first. Nothing of the
  checkout is on the node but two probes, which use nothing of what they measure.
* **Sizes** are of the files that `dpkg --listfiles` names, and of the bytecode beside them that is
  made while installing; a file counts with its length, "of the disk" with its blocks. MB are
  10^6 bytes.
* **dpkg -i**: from before dpkg to its end, bytecode and the unit's start with it. Once: a second
  time would be another thing.
* The package's master runs on the node in its own unit, the agent joined it, fetched what it was to
  have and applied it: the {RESOURCES} resources of `cluster.yaml` beside the bench, among them a
  program of {PROGRAM_BYTES / 1e6:.0f} MB. It has its link and its lease all the while.
* **A start**: `systemctl start`, from systemd's own time of exec (`{{executed}}`)
  to the end of the first look at everything, by the agent's own word of when that was; with the
  unit's ceilings, and the page cache warm. An agent that is started again knows the large files
  that it hashed since the boot; nothing kept: what it knows of them is taken away before.
* **PSS** (`smaps_rollup`) of the agent that joined and applied, after {{warm_up}} looks and after
  all of them, and of the one that was started last, right after its first look. The goal is held
  against the largest. Core and front: after the apply, with that one node.
"""


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    yield ""
    yield from aligned(table(figures))


def page(figures: Figures, warm_up: int, executed: str) -> str:
    """Give it as a page in Markdown; looks before the first figure, systemd's name of exec."""
    first = figures.releases[0]
    return "\n".join(
        (
            *head_of("The packages, installed", figures.site),
            *(f"* Node: {one.system}, in systemd-nspawn" for one in figures.releases),
            f"* Starts of each kind: {len(first.starts.kept)}; looks: {first.looks}",
            "",
            *marked(goal_table(rows(figures))),
            "",
            *marked(table(figures)),
            "",
            HOW.format(warm_up=warm_up, executed=executed),
        )
    )
