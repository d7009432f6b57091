"""The port by which an agent becomes another release of itself; of Host as the others (ports/).

Laws that both implementations keep, besides those of ports/:

* begin() and wait() never return while an upgrade is under way: another process goes on, and what
  came of it is told by the state that the next agent reads.
* An upgrade that was begun ends: done, or gone back. Both are remembered until the next one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class HandedOverError(Exception):
    """Another process goes on with what was begun; this one is about to be replaced by it."""


@dataclass(frozen=True, slots=True)
class Release:
    """A package of the agent. `attempt`: which time a person asks for it."""

    version: str  # of the package, as dpkg has it: 0.2.0-1~deb12
    sha256: str  # of the .deb file
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class GoneBack:
    """An upgrade that ended where it began, and why."""

    release: Release
    why: str


@dataclass(frozen=True, slots=True)
class UpgradeState:
    """How upgrades stand on this node."""

    under_way: str = ""  # the version that it goes to; "": none is under way
    gone_back: GoneBack | None = None  # how the last one ended, if so
    hindrance: str = ""  # why none can be begun here; "": one can


class Upgrades(Protocol):
    """What replaces the agent, and puts the old one back where the new one is not well."""

    def state(self) -> UpgradeState:
        """Say how they stand."""
        ...

    def begin(self, file: Path, release: Release, was: str) -> None:
        """Keep a way back to the package that is installed now, and hand over.

        HandedOverError: it is begun. HostError: it is not, and nothing was changed.
        """
        ...

    def wait(self) -> None:
        """HandedOverError while one is under way."""
        ...
