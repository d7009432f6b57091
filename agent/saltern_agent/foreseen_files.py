"""Files of a foreseen node: the real ones, with the planned changes made in memory.

A content that nobody knows before it is there (a new key, what an archive holds) has the hash
UNKNOWN, which is like no other.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

from saltern_states.ports import Entry, Files, HostError, MovedError

UNKNOWN = "to come"
LARGEST_KEPT = 64 * 1024
"""Bytes of a content that is kept in memory where only its mode or owner changes."""


@dataclass(slots=True)
class ForeseenFiles:
    """Files, with changes that were made in memory alone."""

    real: Files
    changed: dict[Path, tuple[Entry, bytes | None] | None] = field(default_factory=dict)
    trees: set[Path] = field(default_factory=set)  # where an archive is to be unpacked

    def look(self, path: Path) -> Entry | None:
        """Give what will stand there."""
        if path in self.changed:
            found = self.changed[path]
            return found[0] if found else None
        for parent in path.parents:
            if parent in self.trees:  # whether the archive has it is not known: it may
                return Entry("file", 0o644, "root", "root", UNKNOWN)
            if parent in self.changed and self._is_gone(parent):
                return None
        return self.real.look(path)

    def is_new(self, path: Path) -> bool:
        """Say whether what will stand there is another than what stands there now."""
        return path in self.changed or not self.trees.isdisjoint(path.parents)

    def read(self, path: Path) -> bytes | None:
        """Give the content that will be there; HostError for one that is yet to come."""
        if path not in self.changed:
            return self.real.read(path) if self.look(path) else None
        found = self.changed[path]
        if found is None:
            return None
        if found[1] is None:
            raise HostError(f"cannot foresee the content of {path}: it is yet to come")
        return found[1]

    def names(self, path: Path) -> tuple[str, ...]:
        """Give the names that will be in a directory."""
        found = self.look(path)
        if found is None or found.type != "directory":
            return ()
        if path in self.trees:
            raise HostError(f"cannot foresee what is in {path}: it comes from an archive")
        names = set() if path in self.changed and self._is_made(path) else {*self.real.names(path)}
        for changed, what in self.changed.items():
            if changed.parent == path:
                (names.discard if what is None else names.add)(changed.name)
        return tuple(sorted(names))

    def unknown_accounts(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those that this node does not know now."""
        return self.real.unknown_accounts(owner, group)

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give the two as look() tells them."""
        return self.real.called(owner, group)

    def with_accounts_kept(self) -> Files:
        """Give the same changes, over files with accounts as they are now."""
        return ForeseenFiles(self.real.with_accounts_kept(), self.changed, self.trees)

    def write(
        self, path: Path, was: Entry | None, content: bytes, mode: int, owner: str, group: str
    ) -> None:
        """Have a file there."""
        self._expect(path, was)
        entry = Entry("file", mode, *self._names(owner, group), _hash(content), len(content))
        self.changed[path] = (entry, content)

    def write_blob(
        self, path: Path, was: Entry | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Have a file with a blob's content there."""
        self._expect(path, was)
        self.changed[path] = (Entry("file", mode, *self._names(owner, group), blob), None)

    def write_unknown(
        self, path: Path, was: Entry | None, mode: int, owner: str, group: str
    ) -> None:
        """Have a file there whose content nobody knows yet."""
        self._expect(path, was)
        self.changed[path] = (Entry("file", mode, *self._names(owner, group), UNKNOWN), None)

    def set_access(self, path: Path, was: Entry, mode: int, owner: str, group: str) -> None:
        """Have another mode and owner."""
        self._expect(path, was)
        name, team = self._names(owner, group)
        content = self._kept(path, was)
        self.changed[path] = (replace(was, mode=mode, owner=name, group=team), content)

    def make_directory(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Have a directory there."""
        self._expect(path, None)
        self.changed[path] = (Entry("directory", mode, *self._names(owner, group)), None)

    def remove(self, path: Path, was: Entry) -> None:
        """Have nothing there."""
        self._expect(path, was)
        self.changed[path] = None

    def take(self, path: Path) -> None:
        """Have nothing there, and nothing below."""
        self.trees.discard(path)
        for below in [one for one in self.changed if path in one.parents]:
            del self.changed[below]
        self.changed[path] = None

    def unpack(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Have a directory there with what an archive holds."""
        self.take(path)
        self.changed[path] = (Entry("directory", mode, *self._names(owner, group)), None)
        self.trees.add(path)

    def _kept(self, path: Path, was: Entry) -> bytes | None:
        """Give the content of a file that gets another mode, where it is small and known."""
        found = self.changed.get(path)
        if found is not None:
            return found[1]
        return self.real.read(path) if was.type == "file" and was.size <= LARGEST_KEPT else None

    def _is_gone(self, path: Path) -> bool:
        """Say whether nothing of what is below a path now will still be there."""
        found = self.changed[path]
        return found is None or found[0].type != "directory" or self._is_made(path)

    def _is_made(self, path: Path) -> bool:
        """Say whether a directory is to be made anew: nothing of the real node is in it."""
        now = self.real.look(path)
        return now is None or now.type != "directory"

    def _expect(self, path: Path, was: Entry | None) -> None:
        if self.look(path) != was:
            raise MovedError(f"cannot foresee {path}: it is no longer as it was")

    def _names(self, owner: str, group: str) -> tuple[str, str]:
        # An account that a package will bring has no other name yet.
        return (owner, group) if self.unknown_accounts(owner, group) else self.called(owner, group)


def _hash(content: bytes) -> str:
    return sha256(content).hexdigest()
