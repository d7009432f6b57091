"""Unpacked archives in memory: they stand in FakeFiles, so an edit there is seen here.

An archive is a real tar archive. Only its regular files and directories are kept; the
real thing keeps links inside the tree as well.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

from saltern_states.ports import Entry, HostError, MovedError, Tree
from saltern_states.testing.files import FakeFiles, Node


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What was put at one path."""

    archive: str
    owner: str
    group: str
    members: dict[Path, Entry]


class FakeTrees:
    """Trees over the same dict of files."""

    def __init__(self, files: FakeFiles) -> None:
        self.files = files
        self.unpacked: dict[Path, Unpacked] = {}

    def look(self, path: Path) -> Tree | None:
        """Compare what stands there with what was unpacked."""
        entry = self.files.look(path)
        if entry is None or entry.type != "directory":
            return None
        ours = self.unpacked.get(path)
        if ours is None:
            return Tree(archive="", mode=entry.mode, owner=entry.owner, group=entry.group)
        there = self._below(path)
        lines = [f"missing {name.relative_to(path)}" for name in ours.members.keys() - there]
        known = {path, *ours.members}
        lines += [
            f"stray {name.relative_to(path)}" for name in there - known if name.parent in known
        ]
        lines += [
            f"edited {name.relative_to(path)}"
            for name in there & ours.members.keys()
            if self.files.look(name) != ours.members[name]
        ]
        if (entry.owner, entry.group) != (ours.owner, ours.group):
            lines.append("edited .")
        return Tree(ours.archive, entry.mode, ours.owner, ours.group, tuple(sorted(lines)))

    def unpack(
        self, path: Path, was: Tree | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Put an archive's members there."""
        self._expect(path, was)
        names = self.files.called(owner, group)
        archive = self.files.blobs.path(blob).name
        nodes = {
            path / name: replace(node, owner=names[0], group=names[1])
            for name, node in _members(self.files.blobs.contents[archive]).items()
        }
        if was is not None and not was.archive and self._below(path):
            raise HostError(f"cannot unpack into {path}: it holds files that are none of ours")
        if was is not None:
            self.files.take(path)
        self.files.make_directory(path, mode, owner, group)
        self.files.nodes.update(nodes)
        members = {name: node.entry for name, node in nodes.items()}
        self.unpacked[path] = Unpacked(blob, names[0], names[1], members)

    def remove(self, path: Path, was: Tree) -> None:
        """Remove a tree of ours."""
        self._expect(path, was)
        if not was.archive:
            raise HostError(f"cannot remove {path}: we unpacked nothing there")
        self.files.take(path)
        del self.unpacked[path]

    def _below(self, path: Path) -> set[Path]:
        return {each for each in self.files.nodes if path in each.parents}

    def _expect(self, path: Path, was: Tree | None) -> None:
        have = self.look(path)
        if have != was or (have is None and self.files.look(path) is not None):
            raise MovedError(f"cannot change {path}: expected {was}, found {have}; plan again")


def _members(archive: bytes) -> dict[str, Node]:
    nodes: dict[str, Node] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            name = member.name.removeprefix("./").rstrip("/")
            if name in ("", "."):
                continue
            if name.startswith("/") or ".." in name.split("/"):
                raise HostError(f"cannot unpack: {member.name!r} leads out of the tree")
            for above in Path(name).parents:
                if str(above) != ".":
                    nodes.setdefault(str(above), Node("directory", 0o755))
            if member.isdir():
                nodes[name] = Node("directory", member.mode & 0o755)
            elif member.isreg():
                content = tar.extractfile(member)
                nodes[name] = Node(
                    "file", member.mode & 0o755, content=content.read() if content else b""
                )
            else:
                raise HostError(f"cannot unpack: {member.name!r} is no file and no directory")
    return nodes
