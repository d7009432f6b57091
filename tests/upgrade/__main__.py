"""`make test-upgrade-kills`: 200 kills at random moments of upgrades; tells what came of it.

Exit code 1: a node was left without one working agent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.upgrade.kills import kills


def main() -> None:
    """Kill and tell."""
    parser = argparse.ArgumentParser(prog="make test-upgrade-kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=200, help="how many: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="of the moments: %(default)s")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="saltern-upgrades-", dir="/var/tmp") as folder:
        tally = kills(Path(folder), given.seed, given.kills)
    sys.stdout.writelines(f"{line}\n" for line in tally.lines())
    sys.exit(1 if tally.broken else 0)


if __name__ == "__main__":
    main()
