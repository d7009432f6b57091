"""Files and directories of a node, as they stand at their paths."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at a path.

    A symlink anywhere on the way makes it "symlink": nothing is followed, and nothing else
    is told of it (mode 0, no owner).
    """

    type: Literal["file", "directory", "symlink", "other"]
    mode: int  # permission bits, 0o0000 to 0o7777
    owner: str  # the user's name, or its number where it has none
    group: str
    sha256: str = ""  # of a regular file's content; "" for all else, and above 2 GiB
    size: int = 0  # bytes; 0 for what is no regular file


class Files(Protocol):
    """Files and directories. Never through a symlink; whole and durable before it returns."""

    def look(self, path: Path) -> Entry | None:
        """Give what stands there, or None. Content is hashed once per (inode, change time)."""
        ...

    def read(self, path: Path) -> bytes | None:
        """Give the content of a regular file, or None where there is nothing; for small files."""
        ...

    def names(self, path: Path) -> tuple[str, ...]:
        """Give the sorted names in a directory, our own temporary ones left out; () for none."""
        ...

    def unknown_accounts(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those of the two that this node does not know ("user docker")."""
        ...

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give the two as look() tells them: a number that has a name ("0") by its name."""
        ...

    def with_accounts_kept(self) -> Files:
        """Give the same files to one who looks at many: each account is asked for only once."""
        ...

    def write(
        self, path: Path, was: Entry | None, content: bytes, mode: int, owner: str, group: str
    ) -> None:
        """Put a whole file there in place of `was` (None or a file)."""
        ...

    def write_blob(
        self, path: Path, was: Entry | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """The same with the content of a blob, hashed again while it is copied."""
        ...

    def set_access(self, path: Path, was: Entry, mode: int, owner: str, group: str) -> None:
        """Change mode and owner of what stands there."""
        ...

    def make_directory(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Make one directory; its parent must be there."""
        ...

    def remove(self, path: Path, was: Entry) -> None:
        """Remove a file, or a directory that is empty."""
        ...
