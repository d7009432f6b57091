"""The ground of the cluster's bench: a lab "bench-cluster", a free network, a HOME of its own.

Everything is taken down at the end, and what a run that was killed left, at the next beginning.

    TMP/saltern-bench-cluster/home           the master's HOME
    TMP/saltern-bench-cluster/cluster.yaml   docs/tutorial/cluster.yaml, moved to the free network
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from saltern_master.lab import Lab, network
from saltern_master.lab.agent_tree import checkout
from saltern_master.lab.fleet import Fleet
from saltern_master.lab.layout import DEFAULT_NETWORK
from saltern_master.lab.trial import Show

NAME = "bench-cluster"
CLASSES = {"cp1": "control-plane", "w1": "worker", "w2": "worker"}
OFFSETS = {"cp1": 11, "w1": 21, "w2": 22}


@contextmanager
def joined_fleet(show: Show, keep: bool) -> Iterator[Fleet]:
    """Give three bare machines that have joined a master whose library has all that they need."""
    folder = Path(tempfile.gettempdir(), f"saltern-{NAME}")
    Fleet(Lab(NAME), {}, folder / "home", folder, show).stop_master()
    Lab(NAME).down()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o711)
    fleet = _fleet(folder, show)
    try:
        fleet.up()
        fleet.stock()
        fleet.start_master()
        fleet.install()
        for name, node_class in CLASSES.items():
            fleet.join(name, node_class)
        yield fleet
    finally:
        if not keep:
            fleet.stop_master()
            fleet.lab.down()
            shutil.rmtree(folder, ignore_errors=True)


def moved(text: str, subnet: str, to: str) -> str:
    """Put a cluster file onto another subnet; both as 10.9.0."""
    return text.replace(subnet, to)


def _fleet(folder: Path, show: Show) -> Fleet:
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    theirs, ours = (str(one.subnet[0])[:-1] for one in (DEFAULT_NETWORK, free))
    file = folder / "cluster.yaml"
    text = (checkout() / "docs/tutorial/cluster.yaml").read_text()
    file.write_text(moved(text, theirs, ours))
    addresses = {name: str(free.subnet[offset]) for name, offset in OFFSETS.items()}
    return Fleet(Lab(NAME, free), addresses, folder / "home", file, show)
