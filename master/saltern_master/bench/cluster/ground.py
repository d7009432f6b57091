"""The ground of a bench of clusters: a lab of its name, a free network, a HOME of its own.

Everything is taken down at the end, and what a run that was killed left, at the next beginning.

    TMP/saltern-NAME/home           the master's HOME
    TMP/saltern-NAME/cluster.yaml   a cluster file, moved to the free network
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from saltern_master.lab import Lab, network
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.fleet import Fleet
from saltern_master.lab.layout import DEFAULT_NETWORK
from saltern_master.lab.trial import Show

NAME = "bench-cluster"
CLASSES = {"cp1": "control-plane", "w1": "worker", "w2": "worker"}
OFFSETS = {"cp1": 11, "w1": 21, "w2": 22}
TUTORIAL = "docs/tutorial/cluster.yaml"


@dataclass(frozen=True, slots=True)
class Ground:
    """What is brought up: a lab's name, its machines' classes, a cluster file of the checkout."""

    name: str
    classes: Mapping[str, str]
    cluster: str = TUTORIAL

    @property
    def folder(self) -> Path:
        """Where its files are while it is up."""
        return Path(tempfile.gettempdir(), f"saltern-{self.name}")


CLUSTER = Ground(NAME, CLASSES)


@contextmanager
def joined_fleet(show: Show, keep: bool, ground: Ground = CLUSTER) -> Iterator[Fleet]:
    """Give bare machines that have joined a master whose library has all that they need."""
    folder = ground.folder
    Fleet(Lab(ground.name), {}, folder / "home", folder, show).stop_master()
    Lab(ground.name).down()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o711)
    fleet = _fleet(ground, show)
    try:
        fleet.up()
        fleet.stock()
        fleet.start_master()
        fleet.install()
        for name, node_class in ground.classes.items():
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


def _fleet(ground: Ground, show: Show) -> Fleet:
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    theirs, ours = (str(one.subnet[0])[:-1] for one in (DEFAULT_NETWORK, free))
    file = ground.folder / "cluster.yaml"
    file.write_text(moved((checkout() / ground.cluster).read_text(), theirs, ours))
    addresses = {name: str(free.subnet[OFFSETS[name]]) for name in ground.classes}
    return Fleet(Lab(ground.name, free), addresses, ground.folder / "home", file, show)
