"""`make soak`: half an hour of the demo's cluster at work; SALTERN_SOAK says how many seconds.

The page is docs/measured/DATE-soak.md. Exit code 1: a record was false, or planted damage was not
seen. It is written for 600 seconds and more only, unless `--page` is given.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

from saltern_master.bench.cluster.ground import CLASSES, Ground
from saltern_master.bench.drift.ground import held_cluster
from saltern_master.bench.site import site_of
from saltern_master.bench.soak.figures import lines, page, rows
from saltern_master.bench.soak.soak import soak
from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout

SECONDS = 1800.0
WORTH_A_PAGE = 600.0  # seconds
GROUND = Ground("soak", CLASSES)


def main() -> None:
    """Let it go on, and tell."""
    arguments = _arguments()
    if os.geteuid() != 0:
        sys.exit("the soak boots nodes, which needs root: sudo make soak")
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    site = site_of("make soak")
    try:
        with held_cluster(show, arguments.keep, GROUND) as fleet:
            figures = soak(fleet, site, arguments.seconds)
            sys.stdout.writelines(f"{line}\n" for line in lines(figures))
    except MasterError as error:
        sys.exit(f"cannot go on: {error}")
    if arguments.page or arguments.seconds >= WORTH_A_PAGE:
        written = checkout() / "docs/measured" / f"{site.date}-soak.md"
        written.write_text(page(figures))
        show(f"written: {written}")
    sys.exit(0 if all(row.met for row in rows(figures)) else 1)


def _arguments() -> argparse.Namespace:
    seconds = float(os.environ.get("SALTERN_SOAK", SECONDS))
    parser = argparse.ArgumentParser(prog="make soak", description="A cluster at work.")
    parser.add_argument("--seconds", type=float, default=seconds, help="%(default)s")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--page", action="store_true", help="write the page of a short one too")
    return parser.parse_args()


if __name__ == "__main__":
    main()
