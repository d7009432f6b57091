"""Unpacked archives on a real disk.

* A tree is made whole beside the place where it shall stand, under a temporary name and
  mode 0700, synced, and swapped in by one rename; the old one is removed after that. Who
  opens a path in it sees the old tree or the new one.
* A directory that we did not unpack is replaced only if it is empty.
* What an archive may hold is decided in archive.py; how a tree is compared, in manifest.py.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

import msgspec
from saltern_states.ports import Blobs, HostError, MovedError, Tree

from saltern_agent.durable import sync, sync_new
from saltern_agent.host.accounts import Accounts
from saltern_agent.host.archive import Part, open_archive, parts
from saltern_agent.host.beneath import RENAME_EXCHANGE, RENAME_NOREPLACE, Root
from saltern_agent.host.hashes import CHUNK, Hashes
from saltern_agent.host.manifest import NAME, Manifest, Member, differences, read_manifest
from saltern_agent.host.reasons import telling
from saltern_agent.host.temporary import new_directory, new_name, remove_tree

DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW_FILE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class DiskTrees:
    """Trees below a root."""

    def __init__(
        self,
        blobs: Blobs,
        root: Root | None = None,
        hashes: Hashes | None = None,
        accounts: Accounts | None = None,
    ) -> None:
        self._blobs = blobs
        self._root = root or Root()
        self._hashes = hashes or Hashes()
        self._accounts = accounts or Accounts()

    def look(self, path: Path) -> Tree | None:
        """Compare each member with what was unpacked."""
        with telling("look at tree", path):
            try:
                seen = self._root.open(path, os.O_PATH)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    return None
                raise
            try:
                if not stat.S_ISDIR(os.fstat(seen).st_mode):
                    return None
                tree = os.open(f"/proc/self/fd/{seen}", os.O_RDONLY | os.O_DIRECTORY)
            finally:
                os.close(seen)
            try:
                return self._tree(tree)
            finally:
                os.close(tree)

    def unpack(
        self, path: Path, was: Tree | None, blob: str, mode: int, owner: str, group: str
    ) -> None:
        """Put an archive's members there in place of `was`."""
        uid, gid = self._accounts.numbers(owner, group)
        with (
            telling("unpack into", path),
            self._root.parent(path) as parent,
            _open_blob(self._blobs.path(blob), blob) as source,
            new_directory(parent) as (name, tree),
        ):
            members = _unpack(source, blob, tree, uid, gid)
            manifest = Manifest(archive=blob, uid=uid, gid=gid, members=members)
            _write(tree, NAME, msgspec.json.encode(manifest), 0o600)
            os.fchown(tree, uid, gid)
            os.fchmod(tree, mode)
            sync_new(tree, path)
            self._expect(parent, path, was)
            self._swap(parent, name, path, was)
            sync(parent, path.parent)

    def remove(self, path: Path, was: Tree) -> None:
        """Remove a tree of ours."""
        if not was.archive:
            raise HostError(f"cannot remove {path}: we unpacked nothing there; remove it by hand")
        with telling("remove tree", path), self._root.parent(path) as parent:
            self._expect(parent, path, was)
            name = new_name()
            self._root.rename(parent, path.name, name)
            sync(parent, path.parent)
            remove_tree(parent, name)

    def _swap(self, parent: int, name: str, path: Path, was: Tree | None) -> None:
        if was is not None and was.archive:
            self._root.rename(parent, name, path.name, RENAME_EXCHANGE)
            return
        if was is not None:
            os.rmdir(path.name, dir_fd=parent)  # ENOTEMPTY: what is in it is none of ours
        self._root.rename(parent, name, path.name, RENAME_NOREPLACE)

    def _expect(self, parent: int, path: Path, was: Tree | None) -> None:
        have = None
        try:
            tree = os.open(path.name, DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            pass
        else:
            try:
                have = self._tree(tree)
            finally:
                os.close(tree)
        if have != was:
            raise MovedError(f"cannot change {path}: expected {was}, found {have}; plan again")

    def _tree(self, tree: int) -> Tree:
        found = os.fstat(tree)
        mode = stat.S_IMODE(found.st_mode)
        manifest = read_manifest(tree)
        if manifest is None:
            return Tree("", mode, *self._accounts.names(found.st_uid, found.st_gid))
        lines = tuple(sorted(differences(tree, manifest, self._hashes)))
        names = self._accounts.names(manifest.uid, manifest.gid)
        return Tree(manifest.archive, mode, names[0], names[1], lines)


@contextmanager
def _open_blob(path: Path, blob: str) -> Iterator[IO[bytes]]:
    with open(path, "rb") as source:
        digest = sha256()
        while chunk := source.read(CHUNK):
            digest.update(chunk)
        if digest.hexdigest() != blob:
            raise HostError(f"cannot unpack blob {blob}: it is damaged; fetch it again")
        source.seek(0)
        yield source


def _unpack(source: IO[bytes], blob: str, tree: int, uid: int, gid: int) -> dict[str, Member]:
    members: dict[str, Member] = {}
    with open_archive(source, blob) as tar:
        for part, content in parts(tar, blob):
            members[part.name] = _make(tree, part, content)
            os.chown(part.name, uid, gid, dir_fd=tree, follow_symlinks=False)
    for name, member in sorted(members.items(), reverse=True):  # what is inside comes first
        if member.type == "directory":
            _finish_directory(tree, name, member.mode)
    return members


def _make(tree: int, part: Part, content: IO[bytes] | None) -> Member:
    if part.type == "directory":
        os.mkdir(part.name, 0o700, dir_fd=tree)
        return Member("directory", part.mode)
    if part.type == "symlink":
        os.symlink(part.target, part.name, dir_fd=tree)
        return Member("symlink", 0, part.target)
    handle = os.open(part.name, NEW_FILE, 0o600, dir_fd=tree)
    digest = sha256()
    with os.fdopen(handle, "wb") as file:
        while content is not None and (chunk := content.read(CHUNK)):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fchmod(handle, part.mode)
        sync_new(handle, part.name)
    return Member("file", part.mode, digest.hexdigest())


def _finish_directory(tree: int, name: str, mode: int) -> None:
    handle = os.open(name, DIRECTORY, dir_fd=tree)
    try:
        os.fchmod(handle, mode)
        sync_new(handle, name)
    finally:
        os.close(handle)


def _write(tree: int, name: str, content: bytes, mode: int) -> None:
    handle = os.open(name, NEW_FILE, mode, dir_fd=tree)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        sync_new(handle, name)
