"""A private key in a file: 64 hexadecimal digits, for its owner alone.

* It is made with O_EXCL and O_NOFOLLOW, mode 0600 from its first moment, and never written again.
* It is used only where nobody else can read it, and is never shown.
"""

from __future__ import annotations

import os
from pathlib import Path

from saltern_protocol.keys import KEY_BYTES, PrivateKey

from saltern_master.errors import MasterError


class HomeError(MasterError):
    """HOME, or a key, lacks something, or it cannot be read or written."""


def write_secret(path: Path, secret: bytes) -> None:
    """Keep the 32 bytes of a new key; HomeError where a file is there."""
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret.hex().encode() + b"\n")
            file.flush()
            os.fsync(descriptor)
        sync_directory(path.parent)
    except OSError as error:
        raise HomeError(f"cannot make the key {path}: {error.strerror}") from error


def read_secret(path: Path, otherwise: str) -> bytes:
    """Give the 32 bytes of a key. `otherwise`: what to do where it is not there. HomeError."""
    try:
        text = path.read_bytes()
        mode = path.stat().st_mode
    except OSError as error:
        advice = f"; {otherwise}" if otherwise else ""
        raise HomeError(f"cannot read {path}: {error.strerror}{advice}") from error
    if mode & 0o077:
        raise HomeError(f"cannot use the key {path}: others can read it; run: chmod 600 {path}")
    secret = _unhex(text)
    if len(secret) != KEY_BYTES:
        raise HomeError(f"cannot use the key {path}: it is not 64 hexadecimal digits")
    return secret


def read_key(path: Path) -> PrivateKey:
    """Give the signing key in a file; HomeError."""
    return PrivateKey.from_seed(read_secret(path, "give the file that saltern key make wrote"))


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unhex(text: bytes) -> bytes:
    """Give what hexadecimal digits stand for; nothing where they are none: it may be half a key."""
    try:
        return bytes.fromhex(text.decode().strip())
    except ValueError:
        return b""
