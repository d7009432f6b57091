"""The simulation's figures for a reader: lines for a terminal, a page of docs/measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from saltern_master.bench.site import Site
from saltern_master.bench.tables import Table, aligned, head_of, marked

from tests.simulation.measure import Cost, Figures

HOW = """\
## What was measured, and how

* One master (`saltern master run`, core and front) on the loopback, and simulated nodes in two
  processes beside it: each is the agent's own session, keeper, journal and plan over a node in
  memory, with a CURVE connection and keys of its own. So the nodes' work is in the seconds, on the
  same processors; their disks are not.
* Members were put into the master's store at once: joining is measured by `make bench-crowd`.
* Each node has twenty resources; the file that is planned and rolled out changes one of them, on
  every node. Some nodes' disks take nothing more, and some are not connected, from the beginning.
* **Seconds** of an apply and of a plan: to the last node's word. Of a rollout: from the request to
  its end, with no soak and no hold: what is left is the work.
* **CPU** is that of all threads of core and of the front. **Messages** are those of nodes; the
  front's account comes every 15 seconds, so what nodes say at rest in that time is in it.
* A run counts only if the rollout ended with just those failed whose disks fail, and just those
  set aside who were not there.
"""


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from aligned(_table(figures))
    yield ""
    yield from (f"{name}: {value}" for name, value in _more(figures))


def page(figures: Figures, site: Site) -> str:
    """Give it as a page in Markdown."""
    return "\n".join(
        (
            *head_of(f"A rollout over {figures.size} nodes", site),
            "",
            *marked(_table(figures)),
            "",
            *(f"* {name}: {value}" for name, value in _more(figures)),
            "",
            HOW,
        )
    )


def _table(figures: Figures) -> Table:
    head = ("what", "seconds", "core CPU s", "front CPU s", "messages", "kB")
    return (
        head,
        _row("first apply", figures.first),
        _row("apply that changes nothing", figures.no_op),
        _row("plan of one changed file", figures.plan),
        _row(f"rollout of it in {figures.waves} waves", figures.rollout),
    )


def _row(what: str, cost: Cost) -> tuple[str, ...]:
    return (
        what,
        f"{cost.seconds:.2f}",
        f"{cost.core:.2f}",
        f"{cost.front:.2f}",
        f"{cost.messages}",
        f"{cost.bytes / 1000:.0f}",
    )


def _more(figures: Figures) -> Iterator[tuple[str, str]]:
    stages = ", ".join(f"{count} {stage}" for stage, count in sorted(figures.stages.items()))
    yield "nodes of the rollout at its end", stages
    yield "nodes that began before the wave before theirs was over", str(figures.out_of_turn)
    yield "all connected after", f"{figures.joined:.1f} s"
    yield "who came back held what they missed after", f"{figures.returned:.1f} s"
    more = figures.one_more
    yield (
        f"one node more beside {more.size}, on each of the others at most",
        f"{more.resources} resource, {more.routes} route; its impact: {', '.join(more.impacts)}",
    )
    yield "memory at the end", f"core {figures.core_mib:.1f}, front {figures.front_mib:.1f} MiB PSS"
