"""Contents that were brought to a node, and the archives among them, unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class Blobs(Protocol):
    """Contents on the node, named by SHA-256."""

    def has(self, blob: str) -> bool:
        """Say whether it is here, whole."""
        ...

    def path(self, blob: str) -> Path:
        """Give where it lies; HostError where it is not here."""
        ...

    def keep_only(self, blobs: frozenset[str], before: float) -> None:
        """Drop all others that came before a time (Unix seconds); newer ones may be awaited."""
        ...


@dataclass(frozen=True, slots=True)
class Tree:
    """What stands where an archive is, or shall be, unpacked."""

    archive: str  # SHA-256 of the archive that we unpacked there; "": not a tree of ours
    mode: int  # of the directory itself
    owner: str  # that the tree was unpacked for
    group: str
    differs: tuple[str, ...] = ()  # sorted lines: "edited bin/x", "missing bin/y", "stray z"


class Trees(Protocol):
    """Unpacked archives: a directory that holds exactly an archive's members, swapped whole."""

    def look(self, path: Path) -> Tree | None:
        """Compare each member with what was unpacked; None: no directory stands there."""
        ...

    def unpack(
        self, path: Path, was: Tree | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Put the members of a tar archive there in place of `was`, in one rename.

        HostError, and nothing changed, where the archive holds what is no plain member: an
        absolute or climbing name, a device, a link that leads out of the tree.
        """
        ...

    def remove(self, path: Path, was: Tree) -> None:
        """Remove the tree, if it is ours."""
        ...
