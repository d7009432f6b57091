"""Software that a node got whole: Debian packages, and images of its docker."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class Packages(Protocol):
    """Debian packages. Installing never starts a service: units do that."""

    def version(self, name: str) -> str | None:
        """Give the version that is installed and configured; None: not, or half."""
        ...

    def named(self, file: Path) -> tuple[str, str]:
        """Give the package and version that a .deb file is of; HostError: it is none."""
        ...

    def install_files(self, files: tuple[Path, ...]) -> None:
        """Install .deb files in one transaction, from nowhere else."""
        ...

    def install(self, name: str, version: str) -> None:
        """Install from the node's own repositories; version "" is the candidate."""
        ...

    def remove(self, name: str) -> None:
        """Remove one package, keeping its configuration files; HostError if others would go too."""
        ...

    def compare(self, one: str, other: str) -> int:
        """Compare two versions as dpkg does: -1, 0 or 1."""
        ...


class Images(Protocol):
    """Images of the node's docker."""

    def digest(self, name: str) -> str | None:
        """Give the config digest ("sha256:…") that the name stands for; None: not there.

        HostError: docker does not answer.
        """
        ...

    def load(self, archive: Path) -> None:
        """Load an archive."""
        ...

    def remove(self, name: str) -> None:
        """Take the name away, and the image where nothing uses it."""
        ...
