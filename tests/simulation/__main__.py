"""`make bench-rollout`: runs a master and a thousand simulated nodes, measures, and writes it down.

The page is docs/measured/DATE-rollout.md. Exit code 1: something came out otherwise than it has to.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from saltern_master.bench.site import site_of
from saltern_master.lab.agent_package import checkout

from tests.simulation.ground import ground
from tests.simulation.measure import measure
from tests.simulation.page import lines, page

MEMORY = Path("/dev/shm")


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(prog="make bench-rollout", description=__doc__)
    parser.add_argument("--size", type=int, default=1000, help="nodes: %(default)s")
    parser.add_argument("--no-page", action="store_true", help="write no page")
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("the front gives up root, which needs root: sudo make bench-rollout")
    site, began = site_of("make bench-rollout"), time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    room = tempfile.TemporaryDirectory(prefix="saltern-simulation-", dir=MEMORY)
    with room as folder, ground(Path(folder), given.size) as made:
        figures = measure(made, show)
    sys.stdout.writelines(f"{line}\n" for line in lines(figures))
    if not given.no_page:
        written = checkout() / "docs/measured" / f"{site.date}-rollout.md"
        written.write_text(page(figures, site))
        show(f"written: {written}")


if __name__ == "__main__":
    main()
