"""file: a small text file, whole, with its mode and owner.

It is compared by content, never by date. It is replaced by rename, so a reader sees the
old one or the new one. It is never written through a symlink, and its directory must be
there: directories are resources of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.changes import (
    FileChange,
    SmallFile,
    apply_file,
    diff_file,
    observe_file,
    remove_file,
)
from saltern_states.contract import (
    AbsolutePath,
    AccountName,
    Blocked,
    Kind,
    Mode,
    Spec,
    Watch,
    WatchPath,
)
from saltern_states.ports import Host


class File(Spec, frozen=True, kw_only=True, tag="file/1"):
    """A file and the text that it shall hold."""

    path: AbsolutePath
    text: Annotated[str, Meta(max_length=16 * 1024)]
    mode: Mode = "0644"
    owner: AccountName = "root"
    group: AccountName = "root"


def observe(host: Host, want: File) -> SmallFile:
    """Read the file."""
    return observe_file(host, Path(want.path), want.owner, want.group, want.text.encode())


def diff(want: File, have: SmallFile) -> tuple[FileChange | Blocked, ...]:
    """Compare content, mode and owner."""
    return diff_file(want.path, have, want.text.encode(), int(want.mode, 8), want.owner, want.group)


def remove(want: File, have: SmallFile) -> tuple[FileChange | Blocked, ...]:
    """Take the file away. What stood there before we came is not known."""
    return remove_file(Path(want.path), have)


def claims(want: File) -> tuple[Claim, ...]:
    """The path."""
    return (Claim("path", want.path),)


def watch(want: File) -> tuple[Watch, ...]:
    """The path, also when it is replaced by rename."""
    return (WatchPath(Path(want.path)),)


KIND: Kind[File, SmallFile, FileChange] = Kind(
    spec=File,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply_file,
    example=File(path="/etc/docker/daemon.json", text='{"bridge": "cbr0"}\n'),
)
