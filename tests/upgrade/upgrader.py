"""The upgrader as a process of its own on such a machine, where time passes faster.

Run as a script: `python -I upgrader.py ROOT AGENT REPOSITORY`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path


def main(root: Path) -> int:
    """Go on with the upgrade below a directory."""
    from saltern_agent.upgrade.run import Clock, Upgrader

    from tests.upgrade.ground import FASTER, FileUnit, dpkg_of, now, records_of

    clock = Clock(
        boot=(root / "boot").read_text,
        now=now,
        wall=lambda: time.clock_gettime(time.CLOCK_REALTIME),
        sleep=lambda seconds: time.sleep(seconds / FASTER),
    )

    def say(text: str) -> None:
        sys.stderr.write(f"{text}\n")

    Upgrader(records_of(root), dpkg_of(root), FileUnit(root), clock, say).go_on()
    return 0


if __name__ == "__main__":
    sys.path[:0] = sys.argv[2:]
    sys.exit(main(Path(sys.argv[1])))
