"""The results of a full run as a page of docs/measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from saltern_master.bench.site import Site
from saltern_master.bench.tables import Table, marked

from tests.faults.contract import Result

HOW = """\
Each line is one fault of the threat model's list, tried so often. A figure has the most that it
may be beside it; 0 is absolute. What this kernel lacks was done in another way, named in brackets.
`python -m tests.faults NUMBER` tries one fault in its short form; `--full` as here.
"""


def write_page(path: Path, site: Site, results: Sequence[Result], seed: int) -> None:
    """Write the page."""
    lines = (
        f"# Faults, tried on {site.date}",
        "",
        f"Written by `{site.command}`. Commit {site.commit}, seed {seed}.",
        "",
        f"* Machine: {site.machine}; load before: {site.load}",
        f"* Kernel: {site.kernel}",
        "",
        *marked(_table(results)),
        "",
        HOW,
    )
    path.write_text("\n".join(lines))


def _table(results: Sequence[Result]) -> Table:
    head = ("no.", "fault", "tried", "required", "figures", "")
    return (head, *(_row(result) for result in results))


def _row(result: Result) -> tuple[str, ...]:
    seen = result.seen
    how = f" [{seen.how}]" if seen and seen.how else ""
    told = result.error or "; ".join(str(figure) for figure in (seen.figures if seen else ()))
    return (
        str(result.fault.number),
        f"{result.fault.what}{how}",
        str(seen.tried if seen else 0),
        str(result.required),
        told.replace("|", "\\|"),
        "pass" if result.passed else "**FAIL**",
    )
