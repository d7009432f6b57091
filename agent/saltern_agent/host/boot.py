"""Whether the agent was here since the node booted: a mark in /run, which a boot empties."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunMark:
    """The mark."""

    path: Path

    def fresh(self) -> bool:
        """Say whether nothing was restored since the boot."""
        return not self.path.exists()

    def mark(self) -> None:
        """Remember it until the next boot."""
        self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.path.touch()
