"""Where cluster tests happen: a lab and a HOME of the run's own, and what killed runs left.

    lab     cPID-XXXX            PID is the run's
    HOME    TMP/saltern-test-cPID-XXXX/home, the cluster file beside it

Both names tell whose they are, so that a run finds what another one could not take away: its
master (HOME/run/master.pid says which process), its lab, its directory.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from saltern_master.lab import Lab, network, state
from saltern_master.lab.agent_package import checkout
from saltern_master.lab.fleet import Fleet
from saltern_master.lab.layout import DEFAULT_NETWORK, Network

OFFSETS = {"cp1": 11, "w1": 21, "w2": 22}
PREFIX = "saltern-test-"
NAME = re.compile(r"c([0-9]+)-[0-9a-f]{4}\Z")


def own_fleet(show: Callable[[str], None]) -> Fleet:
    """Give a fleet of this run's own; nothing of it is up yet."""
    free = network.free(network.links(), network.used_subnets(), first=os.getpid())
    name = f"c{os.getpid()}-{secrets.token_hex(2)}"
    folder = _folder(name)
    folder.mkdir(mode=0o711)
    file = folder / "cluster.yaml"
    file.write_text(_moved((checkout() / "docs/tutorial/cluster.yaml").read_text(), free))
    addresses = {name: str(free.subnet[offset]) for name, offset in OFFSETS.items()}
    return Fleet(Lab(name, free), addresses, folder / "home", file, show)


def take_down(fleet: Fleet) -> None:
    """Leave nothing of a fleet: no master, no lab, no directory."""
    fleet.stop_master()
    fleet.lab.down()
    shutil.rmtree(fleet.home.parent, ignore_errors=True)


def sweep() -> tuple[str, ...]:
    """Take down what runs that were killed left; gives their labs' names."""
    folders = Path(tempfile.gettempdir()).glob(f"{PREFIX}c*")
    names = {*state.names(), *(one.name.removeprefix(PREFIX) for one in folders)}
    left = tuple(sorted(name for name in names if _is_orphan(name)))
    for name in left:
        home = _folder(name) / "home"
        take_down(Fleet(Lab(name), {}, home, home, print))
    return left


def _folder(name: str) -> Path:
    return Path(tempfile.gettempdir(), PREFIX + name)


def _is_orphan(name: str) -> bool:
    found = NAME.match(name)
    return found is not None and not Path(f"/proc/{found[1]}").exists()


def _moved(text: str, free: Network) -> str:
    """Put the tutorial's cluster onto this run's own subnet."""
    ours, theirs = (str(one.subnet[0])[:-1] for one in (free, DEFAULT_NETWORK))
    assert theirs in text
    return text.replace(theirs, ours)
