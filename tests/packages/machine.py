"""A node that is treated as an administrator treats it: by apt, dpkg, systemctl and saltern."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from saltern_build import make, tools
from saltern_build.products import product_named
from saltern_build.release import release_of
from saltern_build.targets import target_named
from saltern_master.lab import Machine

T = TypeVar("T")
Tree = Mapping[str, str]
READER: Final = Path(__file__).with_name("tree_reader.py").read_text()
INCOMING: Final = "/tmp/incoming"  # its own file system on a node: no part of a Tree
SHOWN: Final = ("LoadState", "UnitFileState", "ActiveState", "Result", "MainPID", "NRestarts")
QUIET: Final = ("env", "DEBIAN_FRONTEND=noninteractive")


def package(product: str, target: str) -> Path:
    """Give a package of this checkout for a release of Debian, built where the cache lacks it."""
    environment = dict(os.environ)
    release = release_of(tools.ROOT, environment)
    bench = make.Bench(tools.ROOT, release, platform.machine(), tools.find(environment))
    return make.kept(bench, product_named(product), target_named(target))


@dataclass(frozen=True)
class Unit:
    """What systemd says of one unit."""

    said: Mapping[str, str]

    @property
    def state(self) -> str:
        return self.said["ActiveState"]

    @property
    def enabled(self) -> str:
        return self.said["UnitFileState"]

    @property
    def pid(self) -> int:
        return int(self.said["MainPID"])

    @property
    def is_there(self) -> bool:
        return self.said["LoadState"] == "loaded"


@dataclass(frozen=True)
class Administered:
    """One node, and the commands that are typed on it."""

    machine: Machine

    def must(self, *argv: str, given: str | None = None, seconds: float = 120) -> str:
        """Run a program that has to succeed; give what it printed."""
        done = self.machine.exec(argv, input=given, timeout=seconds)
        assert done.returncode == 0, f"{' '.join(argv)}: {done.stdout}{done.stderr}"
        return done.stdout

    def bring(self, *files: Path) -> tuple[str, ...]:
        """Carry files there; give where they lie."""
        for file in files:
            self.machine.copy_in(file, f"{INCOMING}/{file.name}")
        return tuple(f"{INCOMING}/{file.name}" for file in files)

    def install(self, *files: Path) -> None:
        """Do as the first page of the documents says."""
        self.must(*QUIET, "apt-get", "install", "-y", "--reinstall", "--", *self.bring(*files))

    def remove(self, name: str) -> None:
        self.must(*QUIET, "apt-get", "remove", "-y", "--", name)

    def purge(self, name: str) -> str:
        return self.must(*QUIET, "apt-get", "purge", "-y", "--", name)

    def unit(self, name: str) -> Unit:
        shown = self.must("systemctl", "show", f"--property={','.join(SHOWN)}", "--", name)
        return Unit(dict(line.split("=", 1) for line in shown.splitlines()))

    def journal(self, unit: str) -> str:
        return self.must("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    def tree(self) -> Tree:
        """Read every path of the node's root file system."""
        found: dict[str, str] = json.loads(self.must("python3", "-", given=READER))
        return found

    def master(self, *words: str) -> str:
        """Run a command in the master's directory, as the user whose it is."""
        return self.must("runuser", "-u", "saltern", "--", "saltern", *words)

    def waited(self, what: str, ask: Callable[[], T | None], seconds: float = 60) -> T:
        """Ask until there is an answer."""
        deadline = time.monotonic() + seconds
        while (found := ask()) is None:
            assert time.monotonic() < deadline, f"waited in vain for {what}"
            time.sleep(0.1)
        return found

    def status(self, *of: str) -> object:
        """Ask the agent, or the master, how things stand."""
        done = self.machine.exec([*of, "status", "--output", "json"])
        return json.loads(done.stdout) if done.stdout else None


def lines(text: str, *holding: str) -> Sequence[str]:
    """Give the lines of a text that hold all of these words."""
    return [line for line in text.splitlines() if all(word in line for word in holding)]
