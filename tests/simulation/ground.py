"""The ground of the simulation: a real master, members in its store, and crowds that are them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from saltern_master.bench.crowd.body import cluster_file, policy
from saltern_master.signing.home import Home

from tests.faults.fleet import Fleet, Member, fleet, told

SALTERN = str(Path(sys.executable).parent / "saltern")


@dataclass(slots=True)
class Ground:
    """A master, its members, and the processes that are some of them."""

    fleet: Fleet
    directory: Path
    crowds: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def names(self) -> tuple[str, ...]:
        """All members' names."""
        return tuple(one.name for one in self.fleet.members)

    def file(self, word: str) -> bytes:
        """Give a cluster file with all members in which one file of every node says a word."""
        text = cluster_file(self.names, word)
        return text.replace("cluster: {name: crowd", "cluster: {name: demo").encode()

    def begin(self, members: Sequence[Member], processes: int) -> None:
        """Have these nodes connect, shared among so many processes; they are in when it returns."""
        begun = [self._crowd(members[at::processes]) for at in range(processes)]
        self.crowds += begun
        for one in begun:
            told(one)

    def fail(self, names: Sequence[str]) -> None:
        """Let these nodes' disks take nothing more."""
        for one in self.crowds:
            if one.stdin is not None:
                one.stdin.write(f"fail {' '.join(names)}\n")
                one.stdin.flush()

    def end(self) -> None:
        """End all nodes."""
        for one in self.crowds:
            if one.stdin is not None:
                one.stdin.close()
        for one in self.crowds:
            one.wait(30)

    def _crowd(self, members: Sequence[Member]) -> subprocess.Popen[str]:
        order = {
            "port": self.fleet.link_port,
            "server": self.fleet.server.hex(),
            "directory": str(self.directory),
            "members": [
                (one.name, one.keys.public.hex(), one.keys.secret.hex(), one.identity.hex())
                for one in members
            ],
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.simulation.crowd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if process.stdin is None:
            raise AssertionError("it has pipes")
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return process


@contextmanager
def ground(directory: Path, size: int) -> Iterator[Ground]:
    """Give a master with so many members, of whom nobody has connected yet."""
    (directory / "master").mkdir()
    directory.chmod(0o711)
    with fleet(directory / "master", size, _allow) as made:
        one = Ground(made, directory / "nodes")
        try:
            yield one
        finally:
            one.end()


def _allow(home: Home) -> None:
    """Let nodes have files where the simulation's are."""
    (home.path / "policy.yaml").write_text(policy())
    subprocess.run([SALTERN, "policy", "--home", str(home.path)], check=True, timeout=60)
