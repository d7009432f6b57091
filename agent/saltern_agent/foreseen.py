"""The node as a plan foresees it: the real one, with the planned changes made in memory.

A plan is converge on this host: each step is looked at as the steps before it will have left
the node, so a file in a directory that is yet to come is written, a directory whose last file
is to go can go, and a unit sees the configuration that it will be started with.

* Reading falls through to the real node where nothing was foreseen.
* Writing never reaches the real node. What is not foreseen here (a job of systemd's, an image)
  raises NotForeseenError, which the planner takes as: it will be done, its effects are unknown;
  the kinds say what follows from it (Blocked.then, Kind.ahead).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from saltern_states.key_ports import Certificates
from saltern_states.leaf import Pair, Wanted
from saltern_states.ports import Entry, Host, MovedError, Tree, Trees

from saltern_agent.foreseen_files import ForeseenFiles
from saltern_agent.foreseen_links import ForeseenLinks
from saltern_agent.foreseen_ports import (
    ForeseenModules,
    ForeseenPackages,
    ForeseenRules,
    ForeseenSwaps,
    ForeseenSysctls,
)
from saltern_agent.foreseen_units import ForeseenUnits, NotForeseenError


@dataclass(frozen=True, slots=True)
class ForeseenTrees:
    """Unpacked archives, whose members are known once they are there."""

    real: Trees
    files: ForeseenFiles
    changed: dict[Path, Tree] = field(default_factory=dict)

    def look(self, path: Path) -> Tree | None:
        """Give the tree that will be there."""
        entry = self.files.look(path)
        if entry is None or entry.type != "directory":
            return None
        if path in self.changed:
            return replace(self.changed[path], mode=entry.mode)
        found = self.real.look(path)
        if found is None:
            return Tree("", entry.mode, entry.owner, entry.group)
        return replace(found, mode=entry.mode)

    def unpack(
        self, path: Path, was: Tree | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Have an archive's members there."""
        self._expect(path, was)
        self.files.unpack(path, mode, owner, group)
        entry = self.files.look(path)
        if entry is not None:
            self.changed[path] = Tree(blob, entry.mode, entry.owner, entry.group)

    def remove(self, path: Path, was: Tree) -> None:
        """Have no tree there."""
        self._expect(path, was)
        self.changed.pop(path, None)
        self.files.take(path)

    def _expect(self, path: Path, was: Tree | None) -> None:
        if self.look(path) != was:
            raise MovedError(f"cannot foresee {path}: it is no longer as it was")


@dataclass(frozen=True, slots=True)
class ForeseenCertificates:
    """Keys and certificates, whose contents are known once they are there."""

    real: Certificates
    files: ForeseenFiles

    def look(self, path: Path, key: Path, ca: str) -> Pair:
        """Give the pair that is there now, less what is to be taken away."""
        pair = self.real.look(path, key, ca)
        leaf = None if self.files.look(path) is None else pair.leaf
        return Pair(pair.now, "" if self.files.look(key) is None else pair.key_fault, leaf)

    def unreached(self) -> str:
        """Say why no certificate can be asked for now."""
        return self.real.unreached()

    def make_key(self, path: Path, was: Entry | None, owner: str, group: str) -> None:
        """Have a new private key there."""
        self.files.write_unknown(path, was, 0o600, owner, group)

    def obtain(self, path: Path, was: Entry | None, key: Path, wanted: Wanted) -> None:
        """Have a new certificate there."""
        self.files.write_unknown(path, was, 0o644, "root", "root")


@dataclass(frozen=True, slots=True)
class Reading:
    """A port of which only reading is allowed."""

    real: Any
    reads: frozenset[str]

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # any method of any port
        if name in self.reads:
            return getattr(self.real, name)
        raise NotForeseenError(name)


READS = {
    "blobs": frozenset({"has", "path"}),
    "images": frozenset({"digest"}),
    "secrets": frozenset({"digest", "plain"}),
    "upgrades": frozenset({"state"}),
}


class ForeseenHost:
    """The node as it will be, as far as the planned changes can be foreseen."""

    def __init__(self, real: Host) -> None:
        self.files = ForeseenFiles(real.files)
        self.trees = ForeseenTrees(real.trees, self.files)
        self.certificates = ForeseenCertificates(real.certificates, self.files)
        self.units = ForeseenUnits(real.units, self.files)
        self.modules = ForeseenModules(real.modules)
        self.swaps = ForeseenSwaps(real.swaps)
        self.links = ForeseenLinks(real.links)
        self.sysctls = ForeseenSysctls(real.sysctls, self.links)
        self.rules = ForeseenRules(real.rules)
        self.packages = ForeseenPackages(real.packages)
        for port, reads in READS.items():
            setattr(self, port, Reading(getattr(real, port), reads))
