"""`make bench-packages`: installs the packages on a fresh Debian 12 and 13, measures, writes down.

The labs are called "bench-deb12" and "bench-deb13"; each is taken down before the next. The page
is docs/measured/DATE-packages.md. Exit code 1: it could not be measured, or a goal was missed. A
short form: `--suite trixie --starts 2 --looks 50 --no-page`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import msgspec

from saltern_master.bench.packages.figures import Figures, rows
from saltern_master.bench.packages.ground import TARGETS
from saltern_master.bench.packages.measure import WARM_UP, Amount, measure
from saltern_master.bench.packages.page import lines, page
from saltern_master.bench.packages.probe import EXECUTED
from saltern_master.bench.site import site_of
from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout


def main() -> None:
    """Measure and tell."""
    arguments = _arguments()
    if os.geteuid() != 0:
        sys.exit("the bench boots nodes, which needs root: sudo make bench-packages")
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    site = site_of("make bench-packages")
    amount = Amount(arguments.starts, arguments.looks)
    suites = arguments.suite or TARGETS
    try:
        releases = tuple(measure(one, amount, show, arguments.keep) for one in suites)
    except MasterError as error:
        sys.exit(f"cannot measure: {error}")
    figures = Figures(site=site, releases=releases)
    _tell(figures, arguments.output)
    if not arguments.no_page:
        written = checkout() / "docs/measured" / f"{site.date}-packages.md"
        written.write_text(page(figures, WARM_UP, EXECUTED))
        show(f"written: {written}")
    sys.exit(0 if all(row.met for row in rows(figures)) else 1)


def _tell(figures: Figures, output: str) -> None:
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(figures))


def _arguments() -> argparse.Namespace:
    usual = Amount()
    parser = argparse.ArgumentParser(prog="make bench-packages", description="Measures packages.")
    parser.add_argument("--output", "-o", choices=("text", "json"), default="text")
    parser.add_argument("--suite", action="append", choices=tuple(TARGETS), help="default: all")
    parser.add_argument("--starts", type=int, default=usual.starts, help="%(default)s")
    parser.add_argument("--looks", type=int, default=usual.looks, help="%(default)s")
    parser.add_argument("--keep", action="store_true", help="leave the labs up")
    parser.add_argument("--no-page", action="store_true", help="write no page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
