"""HOME: what signing needs to remember, on disk.

    HOME/                    0711: the front, which is nobody, opens blobs by name and lists nothing
      keys/                  0700
        {root,policy,state,lease}.key   0600, a seed in hexadecimal
        link.key             0600, the master's CURVE key: what nodes know it by
      pki/                   0700, what certificates are issued with (saltern_master/pki)
      root.envelope          the first root, signed by itself
      policy.yaml            what a person says of each class of nodes
      policy.envelope        the last policy that was signed
      facts/NODE.json        what saltern-agent facts printed there, brought by a person
      store.db               0600, all else that is remembered (saltern_master/records)
      library.json, blobs/   the library (saltern_master/library); blobs/ is 0711

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

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from saltern_protocol.keys import KEY_BYTES, PrivateKey

from saltern_master.errors import MasterError

PRIVATE = ("keys", "pki", "facts")


class HomeError(MasterError):
    """HOME lacks something, or it cannot be read or written."""


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
            for directory, mode in (
                (self.path, 0o711),
                *((self.path / name, 0o700) for name in PRIVATE),
                (self.path / "blobs", 0o711),
            ):
                directory.mkdir(mode=mode, parents=True, exist_ok=True)
                directory.chmod(mode)  # it may be there already, and umask may have taken from it
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

    @property
    def is_made(self) -> bool:
        """Tell whether `saltern init` was here."""
        return (self.path / "keys").is_dir()

    def add_key(self, role: str, secret: bytes) -> None:
        """Keep the 32 bytes of a new key; HomeError where one of that role is there."""
        path = self._key_path(role)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(path, flags, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(secret.hex().encode() + b"\n")
                file.flush()
                os.fsync(descriptor)
        except OSError as error:
            raise HomeError(f"cannot make the key {path}: {error.strerror}") from error
        sync_directory(path.parent)

    def key(self, role: str) -> PrivateKey:
        """Give a key; HomeError where it is not here, or others can read it."""
        return PrivateKey.from_seed(
            self._secret(role, f"it signs as {role}; bring the key here, or sign where it is")
        )

    def link_key(self) -> bytes:
        """Give the secret of the master's CURVE key, 32 bytes; HomeError as key()."""
        return self._secret(
            "link",
            "nodes know the master by it; bring it back from a backup, or, where no node has "
            "joined yet, make a new home with saltern init",
        )

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

    @property
    def store_file(self) -> Path:
        """Where the store is (signing/recorded.py opens it)."""
        return self.path / "store.db"

    def facts_file(self, node: str) -> Path:
        """Where a person puts the facts of a node."""
        return self.path / "facts" / f"{node}.json"

    def _secret(self, role: str, otherwise: str) -> bytes:
        path = self._key_path(role)
        text = self._read(path, otherwise)
        if path.stat().st_mode & 0o077:
            raise HomeError(f"cannot use the key {path}: others can read it; run: chmod 600 {path}")
        secret = _unhex(text)
        if len(secret) != KEY_BYTES:
            raise HomeError(f"cannot use the key {path}: it is not 64 hexadecimal digits")
        return secret

    def _key_path(self, role: str) -> Path:
        return self.path / "keys" / f"{role}.key"

    def _read(self, path: Path, otherwise: str) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise HomeError(f"cannot read {path}: {error.strerror}; {otherwise}") from error


def link_public(secret: bytes) -> bytes:
    """Give the public half of a CURVE key: CURVE's keys are those of X25519 (RFC 7748)."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


def _unhex(text: bytes) -> bytes:
    """Give what hexadecimal digits stand for; nothing where they are none: it may be half a key."""
    try:
        return bytes.fromhex(text.decode().strip())
    except ValueError:
        return b""


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
