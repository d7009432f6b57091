"""What is in a backup: every file by name, size, mode and SHA-256, and what was left out. Pure.

* A name is a relative path of plain components; none leads out of the directory that it is put in.
* The manifest is read whole or not at all, and one of a later form is refused.
* It has no secrets in it: it may be shown to whoever may see the file's name.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from saltern_master.errors import MasterError

FORM: Final = "saltern-backup/1"
STORE: Final = "store.db"
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of a manifest: a million files."""
_COMPONENT: Final = r"[A-Za-z0-9_][A-Za-z0-9._@+-]{0,127}"

_PATH: Final = rf"{_COMPONENT}(/{_COMPONENT}){{0,7}}"

Name = Annotated[str, Meta(pattern=rf"^{_PATH}\Z")]
FolderName = Annotated[str, Meta(pattern=rf"^(\.|{_PATH})\Z")]
Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
Size = Annotated[int, Meta(ge=0, le=2**50)]
Mode = Annotated[int, Meta(ge=0, le=0o777)]
LeftOut = Literal["blobs", "offline-keys"]


class BackupError(MasterError):
    """A backup cannot be made, read or put back. `reasons`: each of them, where there are many."""

    def __init__(self, text: str, reasons: tuple[str, ...] = ()) -> None:
        super().__init__("\n  ".join((text, *reasons)))
        self.reasons = reasons


class Value(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What every part of a manifest is."""


class Part(Value, frozen=True, kw_only=True):
    """A file, by its path below HOME."""

    name: Name
    size: Size
    sha256: Sha256
    mode: Mode


class Folder(Value, frozen=True, kw_only=True):
    """A directory below HOME; "." is HOME itself."""

    name: FolderName
    mode: Mode


class NodeRow(Value, frozen=True, kw_only=True):
    """A node, as the store had it."""

    name: str
    state: str
    version: int


class Manifest(Value, frozen=True, kw_only=True):
    """All of a backup. Times are seconds since 1970."""

    form: Literal["saltern-backup/1"] = "saltern-backup/1"
    cluster: str
    taken: float
    release: str  # of the master that made it
    store_form: int  # of store.db: releases that know fewer steps cannot read it
    revision: int  # of the cluster file that was applied last
    nodes: tuple[NodeRow, ...]
    left_out: tuple[LeftOut, ...]
    missing: tuple[Sha256, ...]  # blobs that HOME had and the backup has not
    folders: tuple[Folder, ...]
    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(part.size for part in self.parts)

    @property
    def keys(self) -> tuple[str, ...]:
        """The files that are secret keys."""
        return tuple(part.name for part in self.parts if part.name.endswith(".key"))


def encode_manifest(manifest: Manifest) -> bytes:
    """Give its bytes."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    """Read a manifest; BackupError: it is none, of another form, or names a file twice."""
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BackupError(
            f"cannot read the manifest: {error}; a backup of this release begins with a manifest "
            f"of the form {FORM}"
        ) from error
    names = [part.name for part in manifest.parts]
    if len(set(names)) != len(names):
        raise BackupError("cannot read the manifest: it names a file twice")
    known = {folder.name for folder in manifest.folders}
    stray = [one for one in names if "/" in one and one.rpartition("/")[0] not in known]
    if "." not in known or stray:
        raise BackupError(f"cannot read the manifest: directories lack for {stray[:3]}")
    return manifest
