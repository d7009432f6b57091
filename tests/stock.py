"""Fill the cache with what the labs need and what takes minutes to make, where it is not there yet.

`make test` runs it before the tests on nodes: those have a deadline each, and whoever waits while
another side builds Kubernetes would miss it. Seconds, where all is there.

    python -m tests.stock
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

from saltern_master import cache
from saltern_master.binaries.components import COMPONENTS
from saltern_master.binaries.debian_source import workshop
from saltern_master.lab import Lab, agent_package, rootfs
from saltern_master.lab.fleet import VERSION, Fleet

say = partial(print, flush=True)


def main() -> None:
    """Make the root file system, the agent's package, and Kubernetes' programs."""
    if os.geteuid():  # who is not root has no labs either: those tests say that they are left out
        return
    rootfs.ready(say)
    agent_package.build(agent_package.checkout(), agent_package.TARGETS["12"], say)
    programs = workshop(cache.root(), VERSION).programs
    if not all((programs / name).is_file() for name in COMPONENTS):
        with tempfile.TemporaryDirectory(prefix="saltern-stock-") as room:
            Fleet(Lab("stock"), {"cp1": ""}, Path(room, "home"), Path(), say).stock()


if __name__ == "__main__":
    main()
