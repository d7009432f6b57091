"""The small ports of a foreseen node: what is planned of them is kept in memory (foreseen.py).

Each gives what its real port gives, and what was planned since in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from saltern_states import iptables_text
from saltern_states.iptables_work import restored
from saltern_states.ports import (
    Backend,
    HostError,
    Modules,
    MovedError,
    Packages,
    Rules,
    Swaps,
    Sysctls,
)

OF_LINK = re.compile(r"net\.[a-z0-9]+\.(?:conf|neigh)\.([^.]+)\.")
"""Parameters that the kernel has for each link (Documentation/networking/ip-sysctl)."""


class Gone(Protocol):
    """What knows which links go."""

    def goes(self, name: str) -> bool:
        """Say whether the link of that name that is there now will go."""
        ...


@dataclass(frozen=True, slots=True)
class ForeseenSysctls:
    """Kernel parameters. Those of a link go with it; which come with what, nobody foresees."""

    real: Sysctls
    links: Gone
    changed: dict[str, str] = field(default_factory=dict)

    def read(self, key: str) -> str | None:
        """Give the value that it will have."""
        of_link = OF_LINK.match(key)
        if of_link is not None and self.links.goes(of_link[1]):
            return None
        return self.changed[key] if key in self.changed else self.real.read(key)

    def write(self, key: str, was: str, value: str) -> None:
        """Have it set."""
        if (self.read(key) or "") != was:
            raise MovedError(f"cannot foresee {key}: it is no longer as it was")
        self.changed[key] = value


@dataclass(frozen=True, slots=True)
class ForeseenModules:
    """Kernel modules."""

    real: Modules
    loaded: set[str] = field(default_factory=set)

    def state(self, name: str) -> Literal["built-in", "loaded", "absent"]:
        """Say whether the kernel will have it."""
        now = self.real.state(name)
        return "loaded" if now == "absent" and name.replace("-", "_") in self.loaded else now

    def load(self, name: str) -> None:
        """Have it loaded."""
        self.loaded.add(name.replace("-", "_"))


@dataclass(frozen=True, slots=True)
class ForeseenSwaps:
    """Swap areas in use."""

    real: Swaps
    gone: set[str] = field(default_factory=set)

    def active(self) -> tuple[str, ...]:
        """Give the names of those that will be in use."""
        return tuple(name for name in self.real.active() if name not in self.gone)

    def off(self, name: str) -> None:
        """Have one no longer used."""
        self.gone.add(name)


@dataclass(frozen=True, slots=True)
class ForeseenPackages:
    """Packages: their versions. What else a package brings nobody foresees."""

    real: Packages
    changed: dict[str, str | None] = field(default_factory=dict)  # "": a version to come

    def version(self, name: str) -> str | None:
        """Give the version that will be installed; HostError where the repositories say which."""
        found = self.changed[name] if name in self.changed else self.real.version(name)
        if found == "":
            raise HostError(f"cannot foresee which version of {name} will be installed")
        return found

    def named(self, file: Path) -> tuple[str, str]:
        """Give the package and version that a .deb file is of."""
        return self.real.named(file)

    def install_files(self, files: tuple[Path, ...]) -> None:
        """Have .deb files installed."""
        self.changed.update(self.real.named(file) for file in files)

    def install(self, name: str, version: str) -> None:
        """Have a package installed from the node's own repositories."""
        self.changed[name] = version

    def remove(self, name: str) -> None:
        """Have one package removed."""
        self.changed[name] = None

    def compare(self, one: str, other: str) -> int:
        """Compare two versions as dpkg does."""
        return self.real.compare(one, other)


@dataclass(frozen=True, slots=True)
class ForeseenRules:
    """iptables: the tables, as a restore leaves them."""

    real: Rules
    tables: dict[tuple[Backend, str], str] = field(default_factory=dict)

    def save(self, backend: Backend, table: str) -> str | None:
        """Give the table as it will be; None: no iptables here, and who brings it is not known."""
        found = self.tables.get((backend, table))
        return self.real.save(backend, table) if found is None else found

    def restore(self, backend: Backend, text: str) -> None:
        """Have one table's text restored; HostError where it is not known what comes of it."""
        try:
            name = iptables_text.named(text)
            now = self.save(backend, name)
            table = restored(iptables_text.parse(name, now or ""), text)
        except ValueError as error:
            raise HostError(f"cannot foresee {error}") from error
        if now is not None:
            self.tables[backend, name] = iptables_text.render(table)
