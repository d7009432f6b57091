"""What was unpacked into a tree: every member, as it was written.

It lies in the tree itself, so that both are swapped in one rename. With it a look needs
neither the archive nor, as long as nothing changed, any content: one lstat per member.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from saltern_agent.host.hashes import Hashes

NAME: Final = ".saltern-manifest"
MAX_BYTES: Final = 16 << 20


class Member(msgspec.Struct, frozen=True, array_like=True):
    """One member of a tree. `content`: a file's SHA-256, a symlink's target, else ""."""

    type: Literal["file", "directory", "symlink"]
    mode: int
    content: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All of a tree."""

    archive: str
    uid: int
    gid: int
    members: dict[str, Member]


def read_manifest(tree: int) -> Manifest | None:
    """Read the manifest in an open directory; None: none that we, and nobody else, wrote."""
    try:
        seen = os.open(NAME, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=tree)
    except FileNotFoundError:
        return None
    try:
        found = os.fstat(seen)
        ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        if not ours or found.st_mode & 0o022 or found.st_size > MAX_BYTES:
            return None
        with open(f"/proc/self/fd/{seen}", "rb") as file:
            return msgspec.json.decode(file.read(), type=Manifest)
    except ValueError:
        return None
    finally:
        os.close(seen)


def differences(tree: int, manifest: Manifest, hashes: Hashes) -> Iterator[str]:
    """Tell what in an open directory is not as it was unpacked: "edited", "missing", "stray"."""
    top = os.fstat(tree)
    if (top.st_uid, top.st_gid) != (manifest.uid, manifest.gid):
        yield "edited ."
    there: set[str] = set()
    for name, found, directory in _walk(tree, "", manifest):
        there.add(name)
        member = manifest.members.get(name)
        if member is None:
            yield f"stray {name}"
        elif not _is_as_unpacked(directory, name, found, manifest, member, hashes):
            yield f"edited {name}"
    for name in manifest.members.keys() - there:
        yield f"missing {name}"


def _walk(
    directory: int, prefix: str, manifest: Manifest
) -> Iterator[tuple[str, os.stat_result, int]]:
    """Give each member, and the open directory that it is in: its own name is to be opened there.

    The whole name would go through directories that somebody may have put links in place of.
    A stray directory is not gone into: it may be as deep as whoever made it likes.
    """
    with os.scandir(directory) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            if name == NAME:
                continue
            found = entry.stat(follow_symlinks=False)
            yield name, found, directory
            if stat.S_ISDIR(found.st_mode) and name in manifest.members:
                flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
                below = os.open(entry.name, flags, dir_fd=directory)
                try:
                    yield from _walk(below, f"{name}/", manifest)
                finally:
                    os.close(below)


def _is_as_unpacked(
    directory: int,
    name: str,
    found: os.stat_result,
    manifest: Manifest,
    member: Member,
    hashes: Hashes,
) -> bool:
    if (found.st_uid, found.st_gid) != (manifest.uid, manifest.gid):
        return False
    own = name.rpartition("/")[2]
    if stat.S_ISLNK(found.st_mode):
        return member.type == "symlink" and os.readlink(own, dir_fd=directory) == member.content
    if stat.S_IMODE(found.st_mode) != member.mode:
        return False
    if stat.S_ISDIR(found.st_mode):
        return member.type == "directory"
    if not stat.S_ISREG(found.st_mode) or member.type != "file":
        return False
    return (hashes.known(found) or _hash(directory, own, hashes)) == member.content


def _hash(directory: int, name: str, hashes: Hashes) -> str:
    seen = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        found = os.fstat(seen)
        return hashes.of(seen, found, name) if stat.S_ISREG(found.st_mode) else ""
    finally:
        os.close(seen)
