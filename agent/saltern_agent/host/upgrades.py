"""Upgrades of the agent on this machine: the port of agent/1, over the records of upgrade/.

* Where there is no master, or none is reached now, nobody could say that a new agent is well: none
  is begun. What waits for that is begun by a look once it is reached.
* An agent that does not run from its package (a source tree, a virtual environment) is none that a
  package could replace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from saltern_states.ports import HostError
from saltern_states.upgrade_ports import GoneBack, HandedOverError, Release, UpgradeState

import saltern_agent
from saltern_agent.upgrade.ground import Ground
from saltern_agent.upgrade.machine import PACKAGE

TREE: Final = Path("/usr/lib/saltern-agent")
SYSTEMD: Final = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class DebUpgrades:
    """Upgrades by .deb files. `master`: the file that is there on a node that has joined one.

    `unreached`: why the master would be asked in vain now; "" where it is reached.
    """

    ground: Ground
    master: Path
    unreached: Callable[[], str] = lambda: ""
    systemd: Path = SYSTEMD
    tree: Path = TREE
    own: Path = field(default=Path(saltern_agent.__file__))

    def state(self) -> UpgradeState:
        """Say how they stand."""
        records = self.ground.records
        order = records.order()
        ended = records.ended()
        gone_back = None
        if ended is not None and not ended.done:
            release = Release(ended.version, ended.sha256, ended.attempt)
            gone_back = GoneBack(release, ended.why)
        return UpgradeState(order.new.version if order else "", gone_back, self._hindrance())

    def begin(self, file: Path, release: Release, was: str) -> None:
        """Keep a way back, and hand over."""
        if why := self._hindrance():
            raise HostError(f"cannot upgrade the agent: {why}")
        self.wait()
        # Imported here: tar, zip and gzip are wanted once in a release's life.
        from saltern_agent.upgrade.begin import begin

        begin(self.ground, file, release, was)
        self.wait()

    def wait(self) -> None:
        """HandedOverError while one is under way."""
        order = self.ground.records.order()
        if order is not None:
            raise HandedOverError(f"the upgrade of the agent to {order.new.version} is under way")

    def _hindrance(self) -> str:
        if not self.systemd.is_dir():
            return "this machine is not run by systemd"
        if not self.own.is_relative_to(self.tree):
            return f"the agent that runs is not of the package {PACKAGE}"
        if not self.master.exists():
            return (
                "this node has joined no master, so nobody could say that a new agent is well; "
                f"install the package by hand: apt install ./{PACKAGE}_VERSION.deb"
            )
        why = self.unreached()
        return f"nobody could say now that a new agent is well: {why}" if why else ""
