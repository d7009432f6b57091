"""python -m tests.faults [--full] [--page FILE] [NUMBER ...]: try the faults, a line for each.

Ends with 1 where one did not pass. --page writes the lines, dated and with the machine, as a page.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from pathlib import Path

from saltern_master.bench.site import site_of

from tests.faults.page import write_page
from tests.faults.run import Form, every_fault, run_all


def main() -> int:
    """Try what was asked for."""
    given = _arguments()
    site = site_of(command(given.form, given.numbers))
    wanted = [one for one in every_fault() if not given.numbers or one.number in given.numbers]
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(2**32)
    results = run_all(wanted, given.form, seed)
    missed = [result for result in results if not result.passed]
    print(f"{len(results) - len(missed)} of {len(results)} faults passed")
    if given.page is not None:
        write_page(given.page, site, results, seed)
    return 1 if missed else 0


def command(form: Form, numbers: Sequence[int]) -> str:
    """Give the command that does the same again, but for the seed. Pure."""
    if form is Form.FULL and not numbers:
        return "make faults-all"
    full = ["--full"] if form is Form.FULL else []
    return " ".join(("python -m tests.faults", *full, *map(str, numbers)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--full", dest="form", action="store_const", const=Form.FULL)
    parser.add_argument("--page", type=Path, help="write the results there")
    parser.add_argument("--seed", type=int, help="draw the trials from this one")
    parser.add_argument("numbers", nargs="*", type=int, help="of faults; none: all")
    parser.set_defaults(form=Form.SHORT)
    given = parser.parse_args()
    strange = set(given.numbers) - {fault.number for fault in every_fault()}
    if strange:
        parser.error(f"there is no fault {', '.join(map(str, sorted(strange)))}")
    return given


if __name__ == "__main__":
    sys.exit(main())
