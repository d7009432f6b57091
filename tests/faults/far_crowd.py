"""A real master and real agents, with a wire between them (wire.py): the benchmark's crowd, apart.

The agents are in the far namespace, core and front in the near one; the API is a unix socket, and
what the agents hold are files below directories of their own, so both are reached from anywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from saltern_master.api.drift_requests import DriftQuery
from saltern_master.api.service import DriftView
from saltern_master.bench.crowd.body import FILES, cluster_file, policy
from saltern_master.bench.crowd.crowd import PROGRAMS, SECONDS, Crowd
from saltern_master.lab.fleet import wait_for

from tests.faults.wire import NEAR, Wire, wire

NSENTER: Final = "/usr/bin/nsenter"
EDITED: Final = FILES[-1]  # cluster_file's word stands in the first
MOST: Final = 10_000


@dataclass(slots=True)
class FarCrowd(Crowd):
    """The crowd; `wire` is set before anything starts."""

    wire: Wire | None = None

    def start_master(self) -> None:
        """Make a HOME, and run the master at the near end."""
        self.saltern("init", "--cluster", "crowd")
        (self.home / "policy.yaml").write_text(policy())
        self.saltern("policy")
        listen = ("--listen", NEAR, "--link-port", "0", "--door-port", "0")
        command = [str(PROGRAMS / "saltern"), "master", "run", *listen]
        self.master = self._begin("master", [*_inside(self.ends.near), *command])
        wait_for("the master to answer", self._answers, SECONDS)

    @property
    def ends(self) -> Wire:
        """The wire."""
        if self.wire is None:
            raise AssertionError("a crowd that is apart has a wire")
        return self.wire

    def _agent(self, name: str) -> list[str]:
        return [*_inside(self.ends.far), *Crowd._agent(self, name)]

    def damage(self, name: str, text: str) -> None:
        """Edit a file that a node holds."""
        (self.folder / name / "root" / EDITED[1:]).write_text(text)

    def healed(self, name: str) -> bool:
        """Say whether the node has set right what was edited."""
        return (self.folder / name / "root" / EDITED[1:]).read_text().endswith(": as it was\n")

    def drift(self, name: str) -> tuple[DriftView, ...]:
        """Give what the master has in its store of a node's drift."""
        return self.client.drift(DriftQuery(node=name, most=MOST))

    def healthy(self, version: int) -> bool:
        """Say whether all are connected, as declared, and at this version or a later one."""
        return all(
            one.connected and one.health == "converged" and one.version >= version
            for one in self.client.status().nodes
        )

    def begin_apply(self, word: str) -> int:
        """Apply a file whose first file says a word; gives the turn without waiting for it."""
        return self.client.apply(cluster_file(self.names, word).encode()).turn

    def version(self) -> int:
        """Give the version that the last of the nodes shall have."""
        return max(one.wanted for one in self.client.status().nodes)


@contextmanager
def far_crowd(directory: Path, size: int) -> Iterator[FarCrowd]:
    """Give a crowd that holds its first document, with the wire in order."""
    directory.chmod(0o711)
    with wire() as between:
        crowd = FarCrowd(directory, size, wire=between)
        try:
            crowd.start_master()
            crowd.join()
            crowd.apply(cluster_file(crowd.names, "begin")).followed.must_be("changed")
            yield crowd
        finally:
            crowd.close()


def until(what: str, condition: Callable[[], bool], seconds: float) -> float:
    """Wait until something holds; gives the seconds, or infinity where it does not come true."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            return float("inf")
        time.sleep(0.02)
    return time.monotonic() - began


def _inside(namespace: str) -> list[str]:
    return [NSENTER, f"--net=/run/netns/{namespace}", "--"]
