"""Two releases of agent and master: this checkout, and the one before it out of git's history.

The one before is the newest tag `v*`; while there is none, the last commit before agents could
upgrade themselves. Both run as real processes on one HOME and one set of nodes, one in place of
the other; a process is of the release whose folders PYTHONPATH names.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from saltern_master.api.drift_requests import DriftQuery
from saltern_master.api.service import ServiceError
from saltern_master.bench.crowd.body import FILES
from saltern_master.bench.crowd.crowd import HOST, PROGRAMS, SECONDS, Crowd
from saltern_master.lab.fleet import wait_for

from tests.house.tree import ROOT

GIT: Final = "/usr/bin/git"
TAR: Final = "/usr/bin/tar"
PARTS: Final = ("protocol", "states", "agent", "master")
FIRST_WITH_UPGRADES: Final = "agent/saltern_agent/upgrade/stages.py"
EDITED: Final = FILES[-1]
MOST: Final = 10_000

Release = Literal["this", "before"]


def release_before(into: Path) -> str:
    """Unpack the release before this one; gives what it is. AssertionError: git knows none."""
    tags = git("tag", "--list", "v*", "--sort=-version:refname").split()
    added = git("log", "--diff-filter=A", "--format=%H", "--", FIRST_WITH_UPGRADES).split()
    revision = tags[0] if tags else f"{added[-1]}~1" if added else ""
    if not revision:
        raise AssertionError("the release before this one is in git's history, which is not here")
    archive = subprocess.run(
        [GIT, "-C", str(ROOT), "archive", "--format=tar", revision, "--", *PARTS],
        check=True,
        capture_output=True,
        timeout=SECONDS,
    ).stdout
    unpack = [TAR, "--extract", "--no-same-owner", f"--directory={into}"]
    subprocess.run(unpack, input=archive, check=True, timeout=SECONDS)
    return tags[0] if tags else git("rev-parse", "--short", revision).strip()


def git(*words: str) -> str:
    """Ask git of this checkout."""
    command = [GIT, "-C", str(ROOT), *words]
    return subprocess.run(
        command, check=True, capture_output=True, text=True, timeout=SECONDS
    ).stdout


@dataclass(slots=True)
class TwoReleases(Crowd):
    """A crowd on loopback whose processes are of one release or the other."""

    before: Path = Path()  # where the release before lies
    of_master: Release = "before"
    of_agents: Release = "before"
    starting: Release = "before"  # whose processes are begun now
    ports: tuple[int, int] = (0, 0)  # the master's, however often it is begun

    def start_master(self) -> None:
        """Make a HOME as the release before does, and run its master."""
        self.ports = free_ports()
        self.saltern("init", "--cluster", "crowd")
        path = self.home / "policy.yaml"  # as that release writes it
        path.write_text(path.read_text().replace("    paths:\n", '    paths:\n    - "/srv"\n'))
        self.saltern("policy")
        self._run_master()

    def be(self, master: Release, agents: Release) -> None:
        """Kill what is of another release than asked for, and start that one in its place."""
        if agents != self.of_agents:
            for process in self.agents.values():
                end(process)
        if master != self.of_master and self.master is not None:
            end(self.master)
            self.of_master = self.starting = master
            self._run_master()
        if agents != self.of_agents:
            self.of_agents = self.starting = agents
            for name in self.agents:
                self.agents[name] = self._begin(name, [*self._agent(name), "run"])

    def damage(self, name: str, text: str) -> None:
        """Edit a file that a node holds."""
        (self.folder / name / "root" / EDITED[1:]).write_text(text)

    def healed(self, name: str) -> bool:
        """Say whether the node has set right what was edited."""
        return (self.folder / name / "root" / EDITED[1:]).read_text().endswith(": as it was\n")

    def drift(self, name: str) -> frozenset[int]:
        """Give the numbers of a node's drift that is in the master's store."""
        found = self.client.drift(DriftQuery(node=name, most=MOST))
        return frozenset(one.number for one in found)

    def is_well(self) -> bool:
        """Say whether all are connected and as declared."""
        with suppress(ServiceError):
            return all(
                one.connected and one.health == "converged" and one.version == one.wanted
                for one in self.client.status().nodes
            )
        return False

    def _run_master(self) -> None:
        link, door = map(str, self.ports)
        run = ("master", "run", "--listen", HOST, "--link-port", link, "--door-port", door)
        self.master = self._begin("master", [str(PROGRAMS / "saltern"), *run])
        wait_for("the master to answer", self._answers, SECONDS)

    @property
    def _environment(self) -> dict[str, str]:
        root = ROOT if self.starting == "this" else self.before
        path = ":".join(str(root / part) for part in PARTS)
        return {**os.environ, "SALTERN_HOME": str(self.home), "PYTHONPATH": path}


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process as a power cut would."""
    process.send_signal(signal.SIGKILL)
    process.wait(SECONDS)


def free_ports() -> tuple[int, int]:
    """Give two ports of loopback that nobody has."""
    with socket.socket() as one, socket.socket() as other:
        one.bind((HOST, 0))
        other.bind((HOST, 0))
        return one.getsockname()[1], other.getsockname()[1]
