"""artifact: a binary at a path, or an archive unpacked below it, named by SHA-256.

A binary is replaced by rename, hashed while it is copied. An archive's tree is made
beside its place and swapped in whole: what was edited, added or lost in it makes it be
unpacked anew, strays included. A directory with content that we did not unpack is never
replaced. Either is compared by content, so the blob is asked for only when it is needed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from saltern_protocol.policy import Claim

from saltern_states.changes import (
    FileChange,
    RemovePath,
    SetAccess,
    apply_file,
    in_the_way,
    no_account,
    no_directory,
)
from saltern_states.contract import (
    AbsolutePath,
    AccountName,
    Blocked,
    Change,
    Kind,
    Mode,
    Sha256,
    Spec,
    Watch,
    WatchPath,
)
from saltern_states.ports import Entry, Host, Tree


class Artifact(Spec, frozen=True, kw_only=True, tag="artifact/1"):
    """Content too large for a body: brought as a blob, checked while it is written.

    `unpack` "tar": the blob is a tar archive (also gz, xz) and `path` the directory that
    holds exactly its members. `mode` is the directory's then; the members have their own.
    """

    path: AbsolutePath
    sha256: Sha256
    unpack: Literal["no", "tar"] = "no"
    mode: Mode = "0755"
    owner: AccountName = "root"
    group: AccountName = "root"


class WriteBlob(Change, frozen=True, kw_only=True, tag="write-blob"):
    """Make a file hold a blob, in place of `was`."""

    path: Path
    was: Entry | None
    blob: str
    mode: int
    owner: str
    group: str

    def __str__(self) -> str:
        verb = "write" if self.was else "create"
        access = f"{self.mode:04o} {self.owner}:{self.group}"
        return f"{verb} {self.path} (artifact {self.blob[:12]}, {access})"


class Unpack(Change, frozen=True, kw_only=True, tag="unpack"):
    """Put an archive's members at a path, in place of `was`."""

    path: Path
    was: Tree | None
    blob: str
    mode: int
    owner: str
    group: str

    def __str__(self) -> str:
        access = f"{self.mode:04o} {self.owner}:{self.group}"
        return f"unpack artifact {self.blob[:12]} to {self.path} ({access})"

    @property
    def opens(self) -> bool:
        """What the archive holds is known once it is unpacked."""
        return True

    @property
    def detail(self) -> str:
        """What the tree that stands there has otherwise than it was unpacked."""
        return "".join(f"{line}\n" for line in self.was.differs) if self.was else ""


class RemoveTree(Change, frozen=True, kw_only=True, tag="remove-tree"):
    """Remove a tree that we unpacked, with all that is in it."""

    path: Path
    was: Tree

    def __str__(self) -> str:
        return f"remove {self.path} and all that is in it"

    @property
    def detail(self) -> str:
        """What is lost that is not of the archive."""
        return "".join(f"{line}\n" for line in self.was.differs)


ArtifactChange = WriteBlob | Unpack | RemoveTree | FileChange


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at the path."""

    entry: Entry | None
    parent: Entry | None  # looked at only where there is no entry
    tree: Tree | None = None
    names: tuple[str, ...] = ()  # in a directory that is no tree of ours
    has_blob: bool = False
    unknown: tuple[str, ...] = ()
    called: tuple[str, str] | None = None


def observe(host: Host, want: Artifact) -> Observed:
    """Read what stands there, and whether the blob is on the node."""
    path = Path(want.path)
    entry = host.files.look(path)
    tree = host.trees.look(path) if want.unpack == "tar" else None
    return Observed(
        entry=entry,
        parent=host.files.look(path.parent) if entry is None else None,
        tree=tree,
        names=host.files.names(path) if tree is not None and not tree.archive else (),
        has_blob=host.blobs.has(want.sha256),
        unknown=host.files.unknown_accounts(want.owner, want.group),
        called=host.files.called(want.owner, want.group),
    )


def diff(want: Artifact, have: Observed) -> tuple[ArtifactChange | Blocked, ...]:
    """Compare content, mode and owner."""
    return _diff_tree(want, have) if want.unpack == "tar" else _diff_file(want, have)


def remove(want: Artifact, have: Observed) -> tuple[ArtifactChange | Blocked, ...]:
    """Take the file, or the tree that we unpacked, away."""
    path = Path(want.path)
    if want.unpack == "tar":
        ours = have.tree is not None and have.tree.archive
        return (RemoveTree(path=path, was=have.tree),) if have.tree is not None and ours else ()
    if have.entry is None or have.entry.type != "file":
        return ()
    return (RemovePath(path=path, was=have.entry),)


def claims(want: Artifact) -> tuple[Claim, ...]:
    """The path and the content."""
    return (Claim("path", want.path), Claim("artifact", want.sha256))


def stands_at(want: Artifact) -> tuple[str, ...]:
    """The file, or the tree: one can come only when the other has gone."""
    return (f"{'tree' if want.unpack == 'tar' else 'path'} {want.path}",)


def watch(want: Artifact) -> tuple[Watch, ...]:
    """The path, also when it is replaced by rename; of a tree, its top."""
    return (WatchPath(Path(want.path)),)


def blobs(want: Artifact) -> tuple[str, ...]:
    """The content."""
    return (want.sha256,)


def apply(host: Host, change: ArtifactChange) -> None:
    """Make one change."""
    if isinstance(change, WriteBlob):
        host.files.write_blob(
            change.path, change.was, change.blob, change.mode, change.owner, change.group
        )
    elif isinstance(change, Unpack):
        host.trees.unpack(
            change.path, change.was, change.blob, change.mode, change.owner, change.group
        )
    elif isinstance(change, RemoveTree):
        host.trees.remove(change.path, change.was)
    else:
        apply_file(host, change)


def _diff_file(want: Artifact, have: Observed) -> tuple[ArtifactChange | Blocked, ...]:
    write = WriteBlob(
        path=Path(want.path),
        was=have.entry,
        blob=want.sha256,
        mode=int(want.mode, 8),
        owner=want.owner,
        group=want.group,
    )
    if have.entry is not None and have.entry.type != "file":
        why = in_the_way(want.path, have.entry)
        return (Blocked(why, (write,)),)
    if have.entry is None or have.entry.sha256 != want.sha256:
        return (_hindered(want, have, write) or write,)
    return _diff_access(want, have, have.entry)


def _diff_tree(want: Artifact, have: Observed) -> tuple[ArtifactChange | Blocked, ...]:
    unpack = Unpack(
        path=Path(want.path),
        was=have.tree,
        blob=want.sha256,
        mode=int(want.mode, 8),
        owner=want.owner,
        group=want.group,
    )
    if have.entry is not None and have.tree is None:
        why = in_the_way(want.path, have.entry, "directory")
        return (Blocked(why, (unpack,)),)
    if have.tree is not None and not have.tree.archive and have.names:
        why = f"{want.path} holds files that we did not unpack; take them away first"
        return (Blocked(why, (unpack,)),)
    owners = have.called or (want.owner, want.group)
    whole = Tree(want.sha256, have.entry.mode if have.entry else 0, *owners)
    if have.tree != whole:
        return (_hindered(want, have, unpack) or unpack,)
    return _diff_access(want, have, have.entry)


def _hindered(want: Artifact, have: Observed, change: WriteBlob | Unpack) -> Blocked | None:
    """Say what keeps a content from being written."""
    found: Blocked | None = None
    if not have.has_blob:
        found = Blocked(f"artifact {want.sha256} is not on this node yet", (change,))
    if have.entry is None:
        found = no_directory(Path(want.path), have.parent, (found or change,)) or found
    return no_account(want.path, have.unknown, (found or change,)) if have.unknown else found


def _diff_access(
    want: Artifact, have: Observed, entry: Entry | None
) -> tuple[ArtifactChange | Blocked, ...]:
    owners = have.called or (want.owner, want.group)
    mode = int(want.mode, 8)
    if entry is None or (entry.mode, entry.owner, entry.group) == (mode, *owners):
        return ()
    change = SetAccess(
        path=Path(want.path), was=entry, mode=mode, owner=want.owner, group=want.group
    )
    if have.unknown:
        return (no_account(want.path, have.unknown, (change,)),)
    return (change,)


KIND: Kind[Artifact, Observed, ArtifactChange] = Kind(
    spec=Artifact,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    stands_at=stands_at,
    watch=watch,
    apply=apply,
    blobs=blobs,
    example=Artifact(path="/usr/local/bin/kubelet", sha256="ab" * 32),
)
