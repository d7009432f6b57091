"""dpkg and systemd in memory, for upgrades: they keep tests/contracts/upgrade_laws.py."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from saltern_agent.upgrade.machine import Run


@dataclass
class FakeDpkg:
    """One package. Files say in their names what they are: VERSION, VERSION-FAULT."""

    status: str = ""  # the version that is there, whole or half
    whole: bool = False
    deaf: list[str] = field(default_factory=list)  # why the next installations fail
    installs: list[str] = field(default_factory=list)

    def installed(self) -> str:
        """Give the version that is whole."""
        return self.status if self.whole else ""

    def install(self, file: Path) -> str:
        """Install over what is there."""
        self.installs.append(file.name)
        version, _, fault = file.name.partition("-")
        if self.deaf:
            return self.deaf.pop(0)
        if fault == "torn":
            return f"dpkg could not install it: {file} is no package"
        self.status, self.whole = version, fault != "postinst"
        return "" if self.whole else "dpkg could not install it: its script failed"


@dataclass
class FakeUnit:
    """A unit that starts at once."""

    runs: int = 0
    state: str = "inactive"

    def run(self) -> Run:
        """Say how it stands."""
        return Run(str(self.runs) if self.runs else "", self.state)

    def restart(self) -> str:
        """Start it anew."""
        self.runs, self.state = self.runs + 1, "active"
        return ""
