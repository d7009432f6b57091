"""The cluster's figures for a reader: lines for a terminal, a page of docs/measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from saltern_master.bench.cluster.figures import Figures, hourly, rows, table, times
from saltern_master.bench.tables import aligned, goal_lines, goal_table, head_of, marked

HOW = """\
## What was measured, and how

* Three bare nodes of a lab (systemd-nspawn on this machine) that have joined a master on the same
  machine; the cluster file is `docs/tutorial/cluster.yaml`. Packages, binaries and images are in
  the master's library; the nodes have none of them and fetch all of it over the link.
* **A valid cluster**: three nodes Ready, the four pods of the control plane Ready, and a default
  service account, so that pods may be made. From the HTTP request of the apply; once every node
  has told its end, kubectl is asked again and again.
* **A no-op** is the same file again. From the HTTP request to the last node's word, as the same
  client reads it from the turn's events; and the whole `saltern apply FILE`, Python's start and
  imports with it. A run counts only if every node told that nothing was to be done.
* **CPU** is that of all threads of core and of front (`/proc/PID/task/*/schedstat`). At work: from
  the request to the valid cluster; and over all no-ops. At rest: while nobody asks for anything,
  with nodes' health, leases, and core's look at Kubernetes' Node objects.
* **Memory** is PSS (`smaps_rollup`): at rest at the end of all; its peak from a look every 0.2 s
  from before the first apply to after the last no-op, the peaks of both added up.
* **Messages and bytes at rest** are what the front counts between two of its Loads, for each node
  and extrapolated to an hour: what nodes say, its size, and the size of what they are told, before
  CURVE, ZMTP and TCP. ZMTP's heartbeats are not in it. Where that time is the usual five minutes,
  each node renews its lease once in it.
"""


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    for part in (times(figures), table(figures)):
        yield ""
        yield from aligned(part)
    yield ""
    yield from (f"{name}: {value}" for name, value in _more(figures))


def page(figures: Figures) -> str:
    """Give it as a page in Markdown."""
    return "\n".join(
        (
            *head_of("A cluster of three", figures.site),
            "",
            *marked(goal_table(rows(figures))),
            "",
            *marked(times(figures)),
            "",
            *marked(table(figures)),
            "",
            *(f"* {name}: {value}" for name, value in _more(figures)),
            "",
            HOW,
        )
    )


def _more(figures: Figures) -> Iterator[tuple[str, str]]:
    rest = figures.rest
    yield "the first apply", f"{figures.first.changes} changes on {rest.nodes} nodes"
    yield (
        "each node and hour at rest",
        f"{hourly(rest, rest.messages):.0f} messages, {hourly(rest, rest.bytes_in) / 1000:.1f} kB "
        f"from it, {hourly(rest, rest.bytes_out) / 1000:.1f} kB to it (extrapolated from "
        f"{rest.counted_seconds:.0f} s: {rest.messages} messages of {rest.nodes} nodes)",
    )
