"""Upgrades of the agent in memory: they are under way until the test ends them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from saltern_states.ports import HostError
from saltern_states.testing.packages import FakeDeb, FakePackages
from saltern_states.upgrade_ports import GoneBack, HandedOverError, Release, UpgradeState

PACKAGE = "saltern-agent"


@dataclass
class FakeUpgrades:
    """One upgrade at a time. Set `hindrance`; call done() or go_back() on what was begun."""

    packages: FakePackages
    hindrance: str = ""
    going: Release | None = None
    gone_back: GoneBack | None = None

    def state(self) -> UpgradeState:
        """Say how they stand."""
        return UpgradeState(
            self.going.version if self.going else "", self.gone_back, self.hindrance
        )

    def begin(self, file: Path, release: Release, was: str) -> None:
        """Begin one; HandedOverError, or HostError."""
        if self.hindrance or self.going is not None or self.packages.version(PACKAGE) != was:
            why = self.hindrance or "another one is under way, or it is not as it was"
            raise HostError(f"cannot upgrade the agent: {why}")
        self.packages.named(file)
        self.going, self.gone_back = release, None
        self.wait()

    def wait(self) -> None:
        """HandedOverError while one is under way."""
        if self.going is not None:
            raise HandedOverError(f"the upgrade to {self.going.version} is under way")

    def done(self) -> None:
        """Let the new release be well."""
        if self.going is not None:
            self.packages.installed[PACKAGE] = FakeDeb(PACKAGE, self.going.version)
            self.going = None

    def go_back(self, why: str) -> None:
        """Let it not be."""
        if self.going is not None:
            self.gone_back, self.going = GoneBack(self.going, why), None
