"""Debian packages in memory: what is installed, what .deb files hold, what repositories offer."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from saltern_states.debversion import compare
from saltern_states.ports import HostError


@dataclass(frozen=True, slots=True)
class FakeDeb:
    """What one .deb file holds."""

    name: str
    version: str
    needs: tuple[str, ...] = ()


@dataclass
class FakePackages:
    """Packages in dicts. Fill `offered`, and `debs` by put_deb()."""

    installed: dict[str, FakeDeb] = field(default_factory=dict)
    half: set[str] = field(default_factory=set)  # unpacked, not configured
    debs: dict[Path, FakeDeb] = field(default_factory=dict)
    offered: dict[str, FakeDeb] = field(default_factory=dict)

    def put(self, name: str, version: str, needs: tuple[str, ...] = ()) -> None:
        """Let a package be installed."""
        self.installed[name] = FakeDeb(name, version, needs)

    def put_deb(self, path: Path, name: str, version: str, needs: tuple[str, ...] = ()) -> None:
        """Let the file at `path` be such a package."""
        self.debs[path] = FakeDeb(name, version, needs)

    def offer(self, name: str, version: str, needs: tuple[str, ...] = ()) -> None:
        """Let the node's repositories have it."""
        self.offered[name] = FakeDeb(name, version, needs)

    def version(self, name: str) -> str | None:
        """Give the installed version."""
        if name in self.half or name not in self.installed:
            return None
        return self.installed[name].version

    def named(self, file: Path) -> tuple[str, str]:
        """Give the package and version that a file is of."""
        if file not in self.debs:
            raise HostError(f"cannot read {file}: it is no package")
        return self.debs[file].name, self.debs[file].version

    def install_files(self, files: tuple[Path, ...]) -> None:
        """Install .deb files, all or none."""
        if unknown := [str(file) for file in files if file not in self.debs]:
            raise HostError(f"cannot install packages: {', '.join(unknown)} is no package")
        self._install({self.debs[file].name: self.debs[file] for file in files})

    def install(self, name: str, version: str) -> None:
        """Install from what is offered, with what it needs."""
        coming: dict[str, FakeDeb] = {}
        wanted = [name]
        while wanted:
            each = wanted.pop()
            deb = self.offered.get(each)
            if deb is None or (each == name and version not in ("", deb.version)):
                raise HostError(f"cannot install {name} {version}: no repository has {each}")
            coming[each] = deb
            wanted += [need for need in deb.needs if need not in self.installed | coming]
        self._install(coming)

    def remove(self, name: str) -> None:
        """Remove one package."""
        users = [deb.name for deb in self.installed.values() if name in deb.needs]
        if users:
            raise HostError(f"cannot remove {name}: {', '.join(sorted(users))} would go too")
        self.installed.pop(name, None)

    def compare(self, one: str, other: str) -> int:
        """Compare two versions as dpkg does."""
        return compare(one, other)

    def _install(self, coming: dict[str, FakeDeb]) -> None:
        after = self.installed | coming
        for deb in coming.values():
            if missing := [need for need in deb.needs if need not in after]:
                raise HostError(f"cannot install {deb.name}: it needs {', '.join(missing)}")
            have = self.installed.get(deb.name)
            if have and compare(deb.version, have.version) < 0:
                raise HostError(f"cannot install {deb.name} {deb.version}: {have.version} is newer")
        self.installed.update(coming)
        self.half -= coming.keys()
