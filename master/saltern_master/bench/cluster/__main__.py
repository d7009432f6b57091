"""`make bench-cluster`: has three bare machines become a cluster, and measures.

The page is docs/measured/DATE-cluster.md. Exit code 1: it could not be measured, or a goal was
missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import msgspec

from saltern_master.bench.cluster.figures import Figures, rows
from saltern_master.bench.cluster.ground import joined_fleet
from saltern_master.bench.cluster.measure import Amount, measure
from saltern_master.bench.cluster.page import lines, page
from saltern_master.bench.site import site_of
from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout


def main() -> None:
    """Measure and tell."""
    arguments = _arguments()
    if os.geteuid() != 0:
        sys.exit("the bench boots nodes, which needs root: sudo make bench-cluster")
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    site = site_of("make bench-cluster")
    amount = Amount(arguments.no_ops, arguments.commands, arguments.rest)
    try:
        with joined_fleet(show, arguments.keep) as fleet:
            figures = measure(fleet, site, amount)
            _tell(figures, arguments.output)  # whatever becomes of taking it all down
    except MasterError as error:
        sys.exit(f"cannot measure: {error}")
    if not arguments.no_page:
        written = checkout() / "docs/measured" / f"{site.date}-cluster.md"
        written.write_text(page(figures))
        show(f"written: {written}")
    sys.exit(0 if all(row.met for row in rows(figures)) else 1)


def _tell(figures: Figures, output: str) -> None:
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(figures))


def _arguments() -> argparse.Namespace:
    usual = Amount()
    parser = argparse.ArgumentParser(prog="make bench-cluster", description="Measures a cluster.")
    parser.add_argument("--output", "-o", choices=("text", "json"), default="text")
    parser.add_argument("--no-ops", type=int, default=usual.no_ops, help="%(default)s")
    parser.add_argument("--commands", type=int, default=usual.commands, help="%(default)s")
    parser.add_argument("--rest", type=float, default=usual.rest, help="seconds: %(default)s")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--no-page", action="store_true", help="write no page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
