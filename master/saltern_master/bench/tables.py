"""Tables of figures: aligned for a terminal, marked up for a page. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from saltern_master.bench.figures import Row
from saltern_master.bench.site import Site

Table = Sequence[Sequence[str]]


def goal_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Give what has a goal for a terminal."""
    width = max(len(row.what) for row in rows)
    for row in rows:
        mark = "" if row.met else "   MISSED"
        yield f"{row.what:<{width}}  {row.found:>10}   goal {row.goal}{mark}"


def goal_table(rows: Sequence[Row]) -> Table:
    """Give what has a goal for a page."""
    head = ("what", "found", "goal", "")
    return (head, *((r.what, r.found, r.goal, "" if r.met else "**missed**") for r in rows))


def aligned(table: Table, words: int = 1) -> Iterator[str]:
    """Give a table for a terminal; the first columns are words, the others numbers."""
    widths = [max(len(row[at]) for row in table) for at in range(len(table[0]))]
    for row in table:
        cells = (
            f"{cell:<{width}}" if at < words else f"{cell:>{width}}"
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        yield "  ".join(cells).rstrip()


def marked(table: Table) -> Iterator[str]:
    """Give a table in Markdown."""
    head, *body = table
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in body)


def head_of(title: str, site: Site) -> tuple[str, ...]:
    """Give the head of a page."""
    return (
        f"# {title}, measured on {site.date}",
        "",
        f"Written by `{site.command}`. Commit {site.commit}.",
        "",
        f"* Machine: {site.machine}; load before: {site.load}",
        f"* Kernel: {site.kernel}",
    )
