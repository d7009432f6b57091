"""`make bench-drift`: breaks a joined worker in twenty-six ways, and measures.

The page is docs/measured/DATE-drift.md. Exit code 1: it could not be measured, or a goal was
missed. A short form: `--runs 2 --only "route removed" --no-page`.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

import msgspec

from saltern_master.bench.drift.damages import Damage, damages
from saltern_master.bench.drift.figures import Figures, missed, rows
from saltern_master.bench.drift.ground import held_cluster
from saltern_master.bench.drift.measure import measure
from saltern_master.bench.drift.page import lines, page
from saltern_master.bench.site import site_of
from saltern_master.errors import MasterError
from saltern_master.lab.agent_package import checkout

RUNS = 20


def main() -> None:
    """Measure and tell."""
    arguments = _arguments()
    if os.geteuid() != 0:
        sys.exit("the bench boots nodes, which needs root: sudo make bench-drift")
    began = time.monotonic()

    def show(line: str) -> None:
        sys.stderr.write(f"{time.monotonic() - began:7.1f}  {line}\n")

    site = site_of("make bench-drift")
    try:
        with held_cluster(show, arguments.keep) as fleet:
            figures = measure(fleet, site, arguments.runs, chosen(arguments.only))
            _tell(figures, arguments.output)  # whatever becomes of taking it all down
    except MasterError as error:
        sys.exit(f"cannot measure: {error}")
    if not arguments.no_page:
        written = checkout() / "docs/measured" / f"{site.date}-drift.md"
        written.write_text(page(figures))
        show(f"written: {written}")
    kept = all(row.met for row in rows(figures)) and not any(map(missed, figures.kinds))
    sys.exit(0 if kept else 1)


def chosen(names: list[str]) -> tuple[Damage, ...]:
    """Give the damages of these names, all for none; MasterError for a name that there is not."""
    known = {one.name: one for one in damages()}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise MasterError(f"cannot do {', '.join(wrong)}; there is: {', '.join(known)}")
    return tuple(known[name] for name in names) or tuple(known.values())


def _tell(figures: Figures, output: str) -> None:
    if output == "json":
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(figures)).decode() + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines(figures))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-drift", description="Measures drift.")
    parser.add_argument("--output", "-o", choices=("text", "json"), default="text")
    parser.add_argument("--runs", type=int, default=RUNS, help="of a damage: %(default)s")
    parser.add_argument("--only", action="append", default=[], help="a damage by its name")
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    parser.add_argument("--no-page", action="store_true", help="write no page")
    return parser.parse_args()


if __name__ == "__main__":
    main()
