"""`make bench-drift-cost`: what the agent's listening costs on a worker of a real cluster.

The page is docs/measured/DATE-drift-cost.md. Exit code 1: it could not be measured, or a goal was
missed. A short form: `--rest 20 --events 5000 --beside 1000 --no-page`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from dataclasses import dataclass

from saltern_master.bench.drift.cost_figures import Figures, lines, page, rows
from saltern_master.bench.drift.ground import NODE, held_cluster
from saltern_master.bench.drift.measure import carry, have
from saltern_master.bench.site import Site, site_of
from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.fleet import Fleet

SECONDS = 3600.0  # that one of its parts may take


@dataclass(frozen=True, slots=True)
class Amount:
    """How long, and how often."""

    rest: int = 600  # seconds
    events: int = 100_000
    beside: int = 10_000
    storm: int = 10_000  # changes, in one second


def main() -> None:
    """Measure and tell."""
    arguments = _arguments()
    if os.geteuid() != 0:
        sys.exit("the bench boots nodes, which needs root: sudo make bench-drift-cost")
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    site = site_of("make bench-drift-cost")
    amount = Amount(arguments.rest, arguments.events, arguments.beside, arguments.storm)
    try:
        with held_cluster(show, arguments.keep) as fleet:
            figures = measure(fleet, site, amount)
            sys.stdout.writelines(f"{line}\n" for line in lines(figures))
    except MasterError as error:
        sys.exit(f"cannot measure: {error}")
    if not arguments.no_page:
        written = checkout() / "docs/measured" / f"{site.date}-drift-cost.md"
        written.write_text(page(figures))
        show(f"written: {written}")
    sys.exit(0 if all(row.met for row in rows(figures)) else 1)


def measure(fleet: Fleet, site: Site, amount: Amount) -> Figures:
    """Measure all of it."""
    trial = fleet.node(NODE)
    carry(trial)
    found = {}
    for what in ("rest", "events", "beside", "storm"):
        number = getattr(amount, what)
        fleet.show(f"{what}: {number}")
        found[what] = have(trial, "cost_probe", what, str(number), seconds=SECONDS)
    return Figures(site=site, **found)


def _arguments() -> argparse.Namespace:
    usual = Amount()
    parser = argparse.ArgumentParser(prog="make bench-drift-cost", description="Measures cost.")
    parser.add_argument("--rest", type=int, default=usual.rest, help="seconds: %(default)s")
    parser.add_argument("--events", type=int, default=usual.events, help="%(default)s")
    parser.add_argument("--beside", type=int, default=usual.beside, help="%(default)s")
    parser.add_argument("--storm", type=int, default=usual.storm, help="%(default)s")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--no-page", action="store_true", help="write no page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
