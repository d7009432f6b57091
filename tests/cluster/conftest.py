"""A real cluster of three nodes, set up once for all tests of a run by the commands of a person.

The tests only look and break; what they break, Saltern heals. Their order does not matter,
but each begins by waiting until all is well.
"""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.lab import Lab, network, state
from saltern_master.lab.agent_tree import checkout
from saltern_master.lab.fleet import Fleet
from saltern_master.lab.layout import DEFAULT_NETWORK

from tests.cluster.cluster import Cluster

ROLES = {"cp1": "control-plane", "w1": "worker", "w2": "worker"}
OFFSETS = {"cp1": 11, "w1": 21, "w2": 22}


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three bare machines that joined a master, and became a cluster."""
    _sweep()
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    lab = Lab(f"c{os.getpid()}-{secrets.token_hex(2)}", free)
    home = tmp_path_factory.mktemp("saltern") / "home"
    addresses = {name: str(free.subnet[offset]) for name, offset in OFFSETS.items()}
    file = home.parent / "cluster.yaml"
    file.write_text(_moved((checkout() / "docs/tutorial/cluster.yaml").read_text(), free))
    fleet = Fleet(lab, addresses, home, file, print)
    try:
        fleet.up()
        fleet.stock()
        fleet.start_master()
        fleet.install()
        for name, node_class in ROLES.items():
            fleet.join(name, node_class)
        fleet.apply()
        yield Cluster(fleet)
    finally:
        fleet.stop_master()
        lab.down()


@pytest.fixture
def cluster(made: Cluster) -> Cluster:
    """The run's cluster, with everything as declared."""
    made.settle()
    return made


def _moved(text: str, free: network.Network) -> str:
    """Put the tutorial's cluster onto this run's own subnet."""
    ours, theirs = (str(one.subnet[0])[:-1] for one in (free, DEFAULT_NETWORK))
    assert theirs in text
    return text.replace(theirs, ours)


def _sweep() -> None:
    """Take down labs of runs that were killed."""
    for name in state.names():
        pid = name[1:].partition("-")[0]
        if name.startswith("c") and pid.isdigit() and not Path(f"/proc/{pid}").exists():
            Lab(name).down()
