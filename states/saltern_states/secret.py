"""secret: a file whose content only this node can read.

The content comes as a blob that is sealed to the node's own key and to this secret's name and
generation; it is opened while the file is written, and nowhere else.

* Nothing of the content is in a plan, a log, a report or an error; nor is what stood there before.
* It is compared by SHA-256, on the node. So what is sealed has to be random enough that nobody
  guesses it from its hash: keys and tokens are, a person's password is not.
* A new content has a new generation: an old blob cannot pass for it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from saltern_protocol.policy import Claim
from saltern_protocol.terms import Count, Name

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
    Sha256,
    Spec,
    Watch,
    WatchPath,
)
from saltern_states.ports import Entry, Host


class Secret(Spec, frozen=True, kw_only=True, tag="secret/1"):
    """A file that holds a secret. `blob` is the SHA-256 of the sealed content."""

    path: AbsolutePath
    secret: Name
    generation: Count
    blob: Sha256
    mode: Literal["0400", "0440", "0600", "0640"] = "0600"
    owner: AccountName = "root"
    group: AccountName = "root"


class WriteSecret(Change, frozen=True, kw_only=True, tag="write-secret"):
    """Make a file hold a secret, in place of `was`."""

    path: Path
    was: Entry | None
    secret: str
    generation: int
    blob: str
    mode: int
    owner: str
    group: str

    def __str__(self) -> str:
        verb = "write" if self.was else "create"
        access = f"{self.mode:04o} {self.owner}:{self.group}"
        return f"{verb} {self.path} (secret {self.secret}, generation {self.generation}, {access})"


SecretChange = WriteSecret | FileChange


@dataclass(frozen=True, slots=True)
class Observed:
    """What stands at the path, and what the sealed blob holds."""

    entry: Entry | None
    parent: Entry | None  # looked at only where there is no entry
    sha256: str  # of the plain content; "" where the blob is not here
    unknown: tuple[str, ...] = ()
    called: tuple[str, str] = ("root", "root")


def observe(host: Host, want: Secret) -> Observed:
    """Hash what stands there, and what the blob holds."""
    path = Path(want.path)
    entry = host.files.look(path)
    here = host.blobs.has(want.blob)
    return Observed(
        entry=entry,
        parent=host.files.look(path.parent) if entry is None else None,
        sha256=host.secrets.digest(want.blob, want.secret, want.generation) if here else "",
        unknown=host.files.unknown_accounts(want.owner, want.group),
        called=host.files.called(want.owner, want.group),
    )


def diff(want: Secret, have: Observed) -> tuple[SecretChange | Blocked, ...]:
    """Compare the hash of the content, mode and owner."""
    path, mode, entry = Path(want.path), int(want.mode, 8), have.entry
    write = WriteSecret(
        path=path,
        was=entry,
        secret=want.secret,
        generation=want.generation,
        blob=want.blob,
        mode=mode,
        owner=want.owner,
        group=want.group,
    )
    if hindered := _hindrance(want, have, write):
        return (hindered,)
    if entry is None or entry.sha256 != have.sha256:
        return (write,)
    if (entry.mode, entry.owner, entry.group) != (mode, *have.called):
        return (SetAccess(path=path, was=entry, mode=mode, owner=want.owner, group=want.group),)
    return ()


def remove(want: Secret, have: Observed) -> tuple[SecretChange | Blocked, ...]:
    """Take the file away. What stood there before we came is not known."""
    if have.entry is None or have.entry.type != "file":
        return ()
    return (RemovePath(path=Path(want.path), was=have.entry),)


def claims(want: Secret) -> tuple[Claim, ...]:
    """The path. What is sealed anew for each node cannot be pinned by its hash."""
    return (Claim("path", want.path),)


def watch(want: Secret) -> tuple[Watch, ...]:
    """The path, also when it is replaced by rename."""
    return (WatchPath(Path(want.path)),)


def blobs(want: Secret) -> tuple[str, ...]:
    """The sealed content."""
    return (want.blob,)


def apply(host: Host, change: SecretChange) -> None:
    """Make one change."""
    if isinstance(change, WriteSecret):
        content = host.secrets.plain(change.blob, change.secret, change.generation)
        host.files.write(change.path, change.was, content, change.mode, change.owner, change.group)
    else:
        apply_file(host, change)


def _hindrance(want: Secret, have: Observed, write: WriteSecret) -> Blocked | None:
    """Say what keeps the content from being compared or written; None where nothing does."""
    path = Path(want.path)
    if have.entry is not None and have.entry.type != "file":
        return Blocked(in_the_way(path, have.entry), (write,))
    found: Blocked | None = None
    if not have.sha256:
        found = Blocked(f"blob {want.blob} is not on this node", (write,))
    if have.entry is None:
        found = no_directory(path, have.parent, (found or write,)) or found
    return no_account(path, have.unknown, (found or write,)) if have.unknown else found


KIND: Kind[Secret, Observed, SecretChange] = Kind(
    spec=Secret,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    blobs=blobs,
    apply=apply,
    example=Secret(
        path="/etc/kubernetes/pki/sa.key",
        secret="service-account",
        generation=1,
        blob="0" * 64,
    ),
)
