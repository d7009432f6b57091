"""HOME: what signing needs to remember, on disk.

    HOME/                    0711: the front, which is nobody, opens blobs by name and lists nothing
      keys/                  0700
        {root,policy,state,lease}.key   0600, a seed in hexadecimal (signing/key_file.py)
        ROLE-FINGERPRINT.key   one that came later; which of them count, the root says
        link.key             0600, the master's CURVE key: what nodes know it by
        bundle.key           0600, what bundles made here are signed with (saltern_master/bundle)
      pki/                   0700, what certificates are issued with (saltern_master/pki)
      roots/N.envelope       the chain of roots; the first is signed by itself
      policy.yaml            what a person says of each class of nodes
      policy.envelope        the last policy that was signed
      facts/NODE.json        what saltern-agent facts printed there, brought by a person
      store.db               0600, all else that is remembered (saltern_master/records)
      bundle-signers.json    whose bundles are taken (saltern_master/bundle)
      library.json, blobs/   the library (saltern_master/library); blobs/ is 0711

Laws:

* A file is replaced by rename after its bytes are on disk: old or new, never half.
* A key is made in a directory that only its owner reads, and never written again. Its name appears
  with the whole of it.
* A root that was taken in is never replaced, and none is left out between two others.
* Who signs holds HOME/.lock, so that no version is given twice.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from saltern_protocol.keys import PrivateKey, PublicKey

from saltern_master.signing.key_file import HomeError, read_secret, sync_directory, write_secret

PRIVATE = ("keys", "pki", "facts", "roots")
NODE = re.compile(r"[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z")  # terms.Name


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
        """Keep the 32 bytes of a new key; HomeError where one of that role is there.

        Hold the lock. The name appears with the whole key: half a key would stop who reads them.
        """
        path, new = self._key_path(role), self._keys / ".new"
        try:
            if os.path.lexists(path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            new.unlink(missing_ok=True)  # of a process that died
            write_secret(new, secret)
            new.rename(path)
            sync_directory(path.parent)
        except OSError as error:
            raise HomeError(f"cannot make the key {path}: {error.strerror}") from error

    def key(self, role: str) -> PrivateKey:
        """Give the key that init made for a role; HomeError: it is not here, or others read it."""
        return PrivateKey.from_seed(
            read_secret(
                self._key_path(role), f"it signs as {role}; bring the key here, or sign where it is"
            )
        )

    def keys_among(self, role: str, wanted: Collection[PublicKey]) -> dict[PublicKey, Path]:
        """Give which of these keys are here for a role, and where. HomeError as key()."""
        own = self._key_path(role)
        paths = [own] if own.exists() else []
        paths += sorted(self._keys.glob(f"{role}-*.key"))
        here = {PrivateKey.from_seed(read_secret(path, "")).public: path for path in paths}
        return {key: here[key] for key in wanted if key in here}

    def link_key(self) -> bytes:
        """Give the secret of the master's CURVE key, 32 bytes; HomeError as key()."""
        return read_secret(
            self._key_path("link"),
            "nodes know the master by it; bring it back from a backup, or, where no node has "
            "joined yet, make a new home with saltern init",
        )

    def replace_link_key(self, secret: bytes) -> Path:
        """Put a new CURVE key in the old one's place; give where the old one is kept. HomeError."""
        path, new = self._key_path("link"), self._key_path("link.new")
        kept = self._key_path(f"link-{link_public(self.link_key()).hex()[:16]}")
        try:
            new.unlink(missing_ok=True)  # of a process that died
            write_secret(new, secret)
            kept.unlink(missing_ok=True)  # the same key: it was kept by a process that died
            os.link(path, kept)
            new.replace(path)
            sync_directory(path.parent)
        except OSError as error:
            raise HomeError(f"cannot replace {path}: {error.strerror}") from error
        return kept

    def roots(self) -> tuple[bytes, ...]:
        """Give the whole chain of signed roots, the first one first."""
        chain: list[bytes] = []
        while (path := self._root_path(len(chain) + 1)).exists():
            chain.append(path.read_bytes())
        if not chain:
            raise HomeError(f"cannot read {path}: it is not there; run: saltern init {self.path}")
        return tuple(chain)

    def add_root(self, version: int, data: bytes) -> None:
        """Keep the next signed root; HomeError where it is not the next."""
        path = self._root_path(version)
        if path.exists() or (version > 1 and not self._root_path(version - 1).exists()):
            raise HomeError(f"cannot keep root {version} in {path}: it is not the next one")
        write_whole(path, data)

    def policy_envelope(self) -> bytes:
        """Give the signed policy."""
        path = self.path / "policy.envelope"
        return self._read(path, f"have it signed: saltern policy --home {self.path}")

    def write_policy(self, data: bytes) -> None:
        """Keep a signed policy in place of the one before."""
        write_whole(self.path / "policy.envelope", data)

    @property
    def has_policy(self) -> bool:
        """Tell whether a policy was signed."""
        return (self.path / "policy.envelope").exists()

    def trust_state(self) -> tuple[tuple[str, int, int], ...]:
        """Say which roots, policy and keys these are: others have other names, inodes or times."""
        paths = (*(self.path / "roots").glob("*"), *self._keys.glob("*.key"))
        found = []
        for path in sorted((*paths, self.path / "policy.envelope")):
            try:
                seen = path.stat()
            except FileNotFoundError:
                continue
            found.append((path.name, seen.st_ino, seen.st_mtime_ns))
        return tuple(found)

    @property
    def policy_file(self) -> Path:
        """Where a person writes the policy."""
        return self.path / "policy.yaml"

    @property
    def store_file(self) -> Path:
        """Where the store is (signing/recorded.py opens it)."""
        return self.path / "store.db"

    def facts_file(self, node: str) -> Path:
        """Where a person puts the facts of a node; HomeError where that is no node's name."""
        if not NODE.match(node):
            raise HomeError(f"cannot name the facts of {node!r}: it is no name of a node")
        return self.path / "facts" / f"{node}.json"

    @property
    def _keys(self) -> Path:
        return self.path / "keys"

    def _key_path(self, role: str) -> Path:
        return self._keys / f"{role}.key"

    def _root_path(self, version: int) -> Path:
        return self.path / "roots" / f"{version}.envelope"

    def _read(self, path: Path, otherwise: str) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise HomeError(f"cannot read {path}: {error.strerror}; {otherwise}") from error


def link_public(secret: bytes) -> bytes:
    """Give the public half of a CURVE key: CURVE's keys are those of X25519 (RFC 7748)."""
    return X25519PrivateKey.from_private_bytes(secret).public_key().public_bytes_raw()


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
