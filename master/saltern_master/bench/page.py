"""The figures for a reader: lines for a terminal, and a page of docs/measured. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from saltern_master.bench.figures import Figures, rows
from saltern_master.bench.tables import aligned, goal_lines, goal_table, marked

HOW = """\
## What was measured, and how

* One real node (systemd, docker, kubelet) of a lab, held by the agent as a service, with the
  cluster file `master/saltern_master/bench/cluster.yaml`. The probe runs in the node and uses
  nothing of the agent: it asks at the control socket, reads `/proc` and journald.
* **A look**: `saltern-agent look`, so often in a row, on a node where all is as declared. Its CPU
  is that of all the agent's threads (`/proc/PID/task/*/schedstat`), with answering the question,
  and that of programs it ran (`/proc/PID/stat`). Not counted: what dockerd, systemd and the
  bus spend on their answers.
* **Memory**: the running agent's PSS (`smaps_rollup`) after {warm_up} looks, and after all of them.
* **Damage**: done in the node by a system call where one will do. All times are wall clock time
  from the moment *before* it was begun, so what the damage itself takes ("done after") counts
  against the agent; where that is more than the time to the record, the event came before the
  damaging call had returned. "Recorded" is when the record was on the disk (synchronous=FULL):
  `since` of the record and what the agent's log says passed from there to the end of the commit.
  "Healed" is the record's `healed`: the resource was set right and looked at again.
  The p99 is the nearest rank: of fewer than 100 runs it is the worst.
* **No event**: the kernel tells nobody that a parameter was set; it is read every second.
* **Start**: from exec of `saltern-agent run` to the end of the first look at everything, by the
  agent's own word of when that was; the page cache is warm. An agent that is started again
  knows the large files that it hashed since the boot; the first one after a boot hashes them all,
  here a kubelet of 105 MB. Imports: `import saltern_agent.__main__` in a new Python, less a Python
  that imports nothing; each with its end.
"""


def lines(figures: Figures) -> Iterator[str]:
    """Give it for a terminal."""
    yield from goal_lines(rows(figures))
    yield ""
    yield from aligned(_healing(figures), words=2)
    yield ""
    yield from (f"{name}: {value}" for name, value in _more(figures))


def page(figures: Figures, warm_up: int) -> str:
    """Give it as a page in Markdown."""
    ground = figures.ground
    return "\n".join(
        (
            f"# The agent, measured on {ground.date}",
            "",
            f"Written by `{ground.command}`. Commit {ground.commit}.",
            "",
            f"* Machine: {ground.machine}; load before: {ground.load}",
            f"* Kernel: {ground.kernel}",
            f"* Node: {ground.node}",
            "",
            *marked(goal_table(rows(figures))),
            "",
            "## From damage to record and healing",
            "",
            *marked(_healing(figures)),
            "",
            "## Besides",
            "",
            *(f"* {name}: {value}" for name, value in _more(figures)),
            "",
            HOW.format(warm_up=warm_up),
        )
    )


def _healing(figures: Figures) -> list[tuple[str, ...]]:
    head = ("damage, ms from before it", "by", "runs", "done after")
    table: list[tuple[str, ...]] = [(*head, "recorded", "p99", "healed", "p99")]
    for one in figures.healing:
        name = one.name if one.event else f"{one.name} (no event)"
        times = (one.record_median, one.record_p99, one.healed_median, one.healed_p99)
        values = (f"{value:.1f}" for value in (one.done_median, *times))
        table.append((name, one.by, str(one.runs), *values))
    return table


def _more(figures: Figures) -> Iterator[tuple[str, str]]:
    look, memory, start = figures.look, figures.memory, figures.start
    yield (
        "a look",
        f"{look.cpu:.2f} ms of the agent's CPU, {look.children:.2f} ms of programs'; wall "
        f"{look.wall_median:.1f} ms (p99 {look.wall_p99:.1f})",
    )
    yield (
        "memory",
        f"{memory.pss_before:.2f} MiB PSS before, {memory.pss_after:.2f} after; descriptors "
        f"{memory.descriptors_before} before, {memory.descriptors_after} after",
    )
    rest = start.first_look - start.python - start.imports
    yield (
        "a start",
        f"{start.first_look * 1000:.0f} ms: Python {start.python * 1000:.0f}, imports "
        f"{start.imports * 1000:.0f}, all else {rest * 1000:.0f} (medians of {start.count})",
    )
    ground = figures.ground
    yield (
        "on disk",
        f"{ground.tree_megabytes:.1f} MB, {ground.installed_megabytes:.1f} MB with bytecode",
    )
