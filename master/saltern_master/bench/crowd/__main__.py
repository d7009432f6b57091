"""`make bench-crowd`: runs a master and its agents, measures, prints, and writes it down.

The page is docs/measured/DATE-crowd.md. Exit code 1: it could not be measured, or a goal was
missed. It needs root: agents give files an owner.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from saltern_master.bench.crowd.body import CHANGES, cluster_file
from saltern_master.bench.crowd.crowd import Crowd, Turn
from saltern_master.bench.crowd.figures import Figures, memory_of, rows, series_of
from saltern_master.bench.crowd.page import lines, page
from saltern_master.bench.site import Site, site_of
from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout

Show = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Amount:
    """How many agents, and how often each thing is done."""

    size: int = 50
    no_ops: int = 20
    changes: int = 10


def main() -> None:
    """Measure and tell."""
    arguments = _arguments()
    if os.geteuid() != 0:
        sys.exit("the crowd's agents give files an owner, which needs root: sudo make bench-crowd")
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    amount = Amount(arguments.size, arguments.no_ops, arguments.changes)
    site = site_of("make bench-crowd")
    try:
        with tempfile.TemporaryDirectory(prefix="saltern-crowd-") as folder:
            figures = _measure(Path(folder), site, amount, show)
    except MasterError as error:
        sys.exit(f"cannot measure: {error}")
    if arguments.output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(figures))
    if not arguments.no_page:
        written = checkout() / "docs/measured" / f"{site.date}-crowd.md"
        written.write_text(page(figures))
        show(f"written: {written}")
    sys.exit(0 if all(row.met for row in rows(figures)) else 1)


def _arguments() -> argparse.Namespace:
    usual = Amount()
    parser = argparse.ArgumentParser(prog="make bench-crowd", description="Measures many agents.")
    parser.add_argument("--output", "-o", choices=("text", "json"), default="text")
    parser.add_argument("--size", type=int, default=usual.size, help="agents: %(default)s")
    parser.add_argument("--no-ops", type=int, default=usual.no_ops, help="%(default)s")
    parser.add_argument("--changes", type=int, default=usual.changes, help="%(default)s")
    parser.add_argument("--no-page", action="store_true", help="write no page")
    return parser.parse_args()


def _measure(folder: Path, site: Site, amount: Amount, show: Show) -> Figures:
    crowd = Crowd(folder, amount.size)
    try:
        crowd.start_master()
        show(f"{amount.size} agents join")
        began = time.perf_counter()
        crowd.join()
        joined = time.perf_counter() - began
        show("a first apply, then no-ops, then a changed file")
        first = [_turn(crowd, "begin", CHANGES)]
        no_ops = [_turn(crowd, "begin", 0) for _ in range(amount.no_ops)]
        changed = [_turn(crowd, f"change {number}", 1) for number in range(amount.changes)]
        memory = memory_of(*crowd.memory())
    finally:
        crowd.close()
    return Figures(
        site=site,
        size=amount.size,
        join_seconds=joined,
        first=series_of("first", amount.size, first),
        no_op=series_of("no-op", amount.size, no_ops),
        changed=series_of("one changed file", amount.size, changed),
        memory=memory,
    )


def _turn(crowd: Crowd, word: str, changes: int) -> Turn:
    turn = crowd.apply(cluster_file(crowd.names, word))
    turn.followed.must_be("changed" if changes else "converged", changes)
    return turn


if __name__ == "__main__":
    main()
