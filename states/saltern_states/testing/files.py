"""Files and blobs in memory, with the laws of the real ones.

* Nothing is followed: below a symlink everything is "symlink".
* A parent must be a directory before anything can stand in it.
* What a writing method was told to expect is compared before anything is written.

Fill it with the `put_` methods, which make missing parents; look at it through the port.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

from saltern_states.ports import Entry, Files, HostError, MovedError

ROOT = Path("/")
SYMLINK = Entry(type="symlink", mode=0, owner="", group="")


@dataclass(frozen=True, slots=True)
class Node:
    """What stands at one path."""

    type: Literal["file", "directory", "symlink", "other"]
    mode: int
    owner: str = "root"
    group: str = "root"
    content: bytes = b""

    @property
    def entry(self) -> Entry:
        """What look() says of it."""
        if self.type == "symlink":
            return SYMLINK
        entry = Entry(type=self.type, mode=self.mode, owner=self.owner, group=self.group)
        if self.type != "file":
            return entry
        return replace(entry, sha256=sha256(self.content).hexdigest(), size=len(self.content))


class FakeBlobs:
    """Contents by name. Fill it with put()."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}
        self.times: dict[str, float] = {}

    def put(self, content: bytes) -> str:
        """Bring a blob to the node; give its name."""
        blob = sha256(content).hexdigest()
        self.contents[blob] = content
        return blob

    def has(self, blob: str) -> bool:
        """Say whether it is here."""
        return blob in self.contents

    def path(self, blob: str) -> Path:
        """Give where it would lie."""
        if blob not in self.contents:
            raise HostError(f"cannot find blob {blob}: it is not on this node; fetch it first")
        return Path("/var/lib/saltern/blobs", blob)

    def keep_only(self, blobs: frozenset[str], before: float) -> None:
        """Drop all others that came before a time."""
        gone = [blob for blob in self.contents if blob not in blobs and self.came(blob) < before]
        for blob in gone:
            del self.contents[blob]

    def came(self, blob: str) -> float:
        """Give when it came: at time 1 where a test has not said otherwise."""
        return self.times.get(blob, 1.0)


class FakeFiles:
    """A tree of files in a dict; at first an empty root directory."""

    def __init__(self, blobs: FakeBlobs) -> None:
        self.blobs = blobs
        self.nodes: dict[Path, Node] = {ROOT: Node("directory", 0o755)}
        self.users = {"root": 0}
        self.groups = {"root": 0}

    def put_file(
        self,
        path: Path | str,
        content: bytes = b"",
        mode: int = 0o644,
        owner: str = "root",
        group: str = "root",
    ) -> None:
        """Let a file stand there, and directories above it."""
        self._put(Path(path), Node("file", mode, owner, group, content))

    def put_directory(
        self, path: Path | str, mode: int = 0o755, owner: str = "root", group: str = "root"
    ) -> None:
        """Let a directory stand there, and those above it."""
        self._put(Path(path), Node("directory", mode, owner, group))

    def put_symlink(self, path: Path | str) -> None:
        """Let a symlink stand there; where it leads is nothing to us."""
        self._put(Path(path), Node("symlink", 0o777))

    def put_other(self, path: Path | str) -> None:
        """Let a FIFO, device or socket stand there."""
        self._put(Path(path), Node("other", 0o644))

    def take(self, path: Path | str) -> None:
        """Take away what stands there, and all below it."""
        gone = [each for each in self.nodes if each == Path(path) or Path(path) in each.parents]
        for each in gone:
            del self.nodes[each]

    def look(self, path: Path) -> Entry | None:
        """Give what stands there."""
        if any(self._is(above, "symlink") for above in path.parents):
            return SYMLINK
        node = self.nodes.get(path)
        return node.entry if node else None

    def read(self, path: Path) -> bytes | None:
        """Give a file's content."""
        entry = self.look(path)
        if entry is None:
            return None
        if entry.type != "file":
            raise HostError(f"cannot read {path}: it is no file ({entry.type})")
        return self.nodes[path].content

    def names(self, path: Path) -> tuple[str, ...]:
        """Give the names in a directory."""
        entry = self.look(path)
        if entry is None:
            return ()
        if entry.type != "directory":
            raise HostError(f"cannot list {path}: it is no directory ({entry.type})")
        return tuple(sorted(each.name for each in self.nodes if each.parent == path != each))

    def unknown_accounts(self, owner: str, group: str) -> tuple[str, ...]:
        """Name those that this node does not know."""
        user = () if owner.isdecimal() or owner in self.users else (f"user {owner}",)
        return user + (() if group.isdecimal() or group in self.groups else (f"group {group}",))

    def called(self, owner: str, group: str) -> tuple[str, str]:
        """Give the two as look() tells them."""
        users = {str(number): name for name, number in self.users.items()}
        groups = {str(number): name for name, number in self.groups.items()}
        return users.get(owner, owner), groups.get(group, group)

    def with_accounts_kept(self) -> Files:
        """Give the same files, to which no account comes any more."""
        kept = FakeFiles(self.blobs)
        kept.nodes, kept.users, kept.groups = self.nodes, dict(self.users), dict(self.groups)
        return kept

    def write(
        self, path: Path, was: Entry | None, content: bytes, mode: int, owner: str, group: str
    ) -> None:
        """Put a whole file there."""
        self._expect(path, was)
        if was is not None and was.type != "file":
            raise HostError(f"cannot write {path}: it is no file ({was.type})")
        self._check_place(path, owner, group)
        self.nodes[path] = Node("file", mode, *self.called(owner, group), content)

    def write_blob(
        self, path: Path, was: Entry | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Put a blob's content there."""
        self.blobs.path(blob)
        content = self.blobs.contents[blob]
        if sha256(content).hexdigest() != blob:
            raise HostError(f"cannot write {path}: blob {blob} is damaged; fetch it again")
        self.write(path, was, content, mode, owner, group)

    def set_access(self, path: Path, was: Entry, mode: int, owner: str, group: str) -> None:
        """Change mode and owner."""
        self._expect(path, was)
        if was.type not in ("file", "directory"):
            raise HostError(f"cannot set the mode of {path}: it is none of ours ({was.type})")
        self._check_place(path, owner, group)
        names = self.called(owner, group)
        self.nodes[path] = replace(self.nodes[path], mode=mode, owner=names[0], group=names[1])

    def make_directory(self, path: Path, mode: int, owner: str, group: str) -> None:
        """Make one directory."""
        self._expect(path, None)
        self._check_place(path, owner, group)
        self.nodes[path] = Node("directory", mode, *self.called(owner, group))

    def remove(self, path: Path, was: Entry) -> None:
        """Remove a file or an empty directory."""
        self._expect(path, was)
        if was.type not in ("file", "directory"):
            raise HostError(f"cannot remove {path}: it is none of ours ({was.type})")
        if was.type == "directory" and self.names(path):
            raise HostError(f"cannot remove {path}: the directory is not empty")
        del self.nodes[path]

    def _put(self, path: Path, node: Node) -> None:
        for above in path.parents:
            self.nodes.setdefault(above, Node("directory", 0o755))
        self.nodes[path] = node

    def _is(self, path: Path, type_: str) -> bool:
        return path in self.nodes and self.nodes[path].type == type_

    def _expect(self, path: Path, was: Entry | None) -> None:
        have = self.look(path)
        if have != was:
            raise MovedError(f"cannot change {path}: expected {was}, found {have}; plan again")

    def _check_place(self, path: Path, owner: str, group: str) -> None:
        if not all(self._is(above, "directory") for above in path.parents):
            raise HostError(f"cannot write {path}: there is no directory {path.parent}")
        if unknown := self.unknown_accounts(owner, group):
            raise HostError(f"cannot write {path}: this node has no {' and no '.join(unknown)}")
