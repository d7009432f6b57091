"""Boots: a port that tells whether what lives in the kernel may be gone (host/boot.py)."""

from __future__ import annotations

from typing import Protocol


class Boot(Protocol):
    """Whether the agent has been here since the node booted."""

    def fresh(self) -> bool:
        """Say whether nothing was restored since the boot."""
        ...

    def mark(self) -> None:
        """Remember, until the next boot, that it was."""
        ...
