"""HOME: what signing needs to remember, on disk.

    HOME/                    0700
      keys/{root,policy,state}.key   0600, a seed in hexadecimal
      root.envelope          the first root, signed by itself
      policy.yaml            what a person says of each class of nodes
      policy.envelope        the last policy that was signed
      allocation.json        which range of pod addresses each node has
      facts/NODE.json        what saltern-agent facts printed there
      nodes/NODE.json        incarnation, last version, last document's hash
      library.json, blobs/   the library (saltern_master/library)

Laws:

* A file is replaced by rename after its bytes are on disk: old or new, never half.
* A key is made with O_EXCL in a directory that only its owner reads, and never written again.
* Who signs holds HOME/.lock, so that no version is given twice.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
from saltern_protocol.errors import MalformedError
from saltern_protocol.keys import PrivateKey

from saltern_master.compile.allocation import Allocation
from saltern_master.compile.facts import Facts, read_facts
from saltern_master.errors import MasterError

T = TypeVar("T")


class HomeError(MasterError):
    """HOME lacks something, or it cannot be read or written."""


class NodeRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was last signed for a node. `document`: its hash in hexadecimal, "" for none."""

    incarnation: str
    version: int = 0
    document: str = ""


class Home:
    """The directory, as the things that it holds."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self) -> None:
        """Make the directory; HomeError where keys are there already."""
        if (self.path / "keys").exists():
            raise HomeError(
                f"cannot make a new home in {self.path}: it holds keys; take another directory"
            )
        try:
            for directory in (
                self.path,
                *(self.path / name for name in ("keys", "nodes", "facts")),
            ):
                directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                directory.chmod(0o700)
        except OSError as error:
            raise HomeError(f"cannot make {self.path}: {error.strerror}") from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Be the only one who signs."""
        try:
            lock = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HomeError(
                f"cannot use {self.path}: {error.strerror}; run: saltern init {self.path}"
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def add_key(self, role: str, key: PrivateKey) -> None:
        """Keep a new key; HomeError where one of that role is there."""
        path = self._key_path(role)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(key.seed().hex().encode() + b"\n")
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise HomeError(f"cannot make the key {path}: {error.strerror}") from error
        sync_directory(path.parent)

    def key(self, role: str) -> PrivateKey:
        """Give a key; HomeError where it is not here, or others can read it."""
        path = self._key_path(role)
        text = self._read(path, f"it signs as {role}; bring the key here, or sign where it is")
        if path.stat().st_mode & 0o077:
            raise HomeError(f"cannot use the key {path}: others can read it; run: chmod 600 {path}")
        try:
            return PrivateKey.from_seed(bytes.fromhex(text.decode().strip()))
        except (ValueError, MalformedError):
            pass  # what the file holds is not repeated: it may be half a key
        raise HomeError(f"cannot use the key {path}: it is not 64 hexadecimal digits")

    def envelope(self, name: str) -> bytes:
        """Give the signed root or policy."""
        return self._read(self.path / f"{name}.envelope", f"run: saltern init {self.path}")

    def write_envelope(self, name: str, data: bytes) -> None:
        """Keep a signed root or policy."""
        write_whole(self.path / f"{name}.envelope", data)

    @property
    def policy_file(self) -> Path:
        """Where a person writes the policy."""
        return self.path / "policy.yaml"

    def allocation(self) -> Allocation:
        """Give the recorded ranges; none where nothing was signed yet."""
        return self._json(self.path / "allocation.json", Allocation) or Allocation()

    def write_allocation(self, allocation: Allocation) -> None:
        """Record the ranges."""
        write_whole(self.path / "allocation.json", pretty(allocation))

    def facts(self, node: str) -> Facts | None:
        """Give the facts of a node, or None where none were brought."""
        path = self.path / "facts" / f"{node}.json"
        return read_facts(path.read_bytes(), str(path)) if path.is_file() else None

    def node(self, name: str) -> NodeRecord | None:
        """Give what was last signed for a node, or None."""
        return self._json(self.path / "nodes" / f"{name}.json", NodeRecord)

    def write_node(self, name: str, record: NodeRecord) -> None:
        """Record what is about to be signed for a node."""
        write_whole(self.path / "nodes" / f"{name}.json", pretty(record))

    def _key_path(self, role: str) -> Path:
        return self.path / "keys" / f"{role}.key"

    def _read(self, path: Path, otherwise: str) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise HomeError(f"cannot read {path}: {error.strerror}; {otherwise}") from error

    def _json(self, path: Path, kind: type[T]) -> T | None:
        try:
            return msgspec.json.decode(path.read_bytes(), type=kind)
        except FileNotFoundError:
            return None
        except (OSError, msgspec.DecodeError) as error:
            raise HomeError(f"cannot read {path}: {error}; restore it from a backup") from error


def pretty(value: object) -> bytes:
    """Give JSON that a person can read."""
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Put a whole file there, durably: old or new, never half."""
    temporary = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise HomeError(f"cannot write {path}: {error.strerror}") from error


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
