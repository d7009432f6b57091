"""The node's two private keys: what it speaks to its master with, and what secrets are sealed to.

    /etc/saltern/link.key       CURVE, for the channel
    /etc/saltern/sealing.key    X25519, for sealed secrets

* Each is 32 bytes, as 64 hexadecimal digits and a newline, made on the node, once: a key that is
  there is never replaced. It appears under its name whole, or not at all.
* Mode 0600 from the first moment on, never through a symlink. A key that others can read, or
  whose directory others can write to, is refused: it is nobody's proof any more.
* No key shows in repr, error or log.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from saltern_protocol.sealed import KEY_BYTES, sealing_public

from saltern_agent.places import SettingsError

LINK: Final = "link.key"
SEALING: Final = "sealing.key"
TEXT: Final = re.compile(rb"[0-9a-f]{64}\n\Z")
NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OLD: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not hang us


@dataclass(frozen=True, slots=True, repr=False)
class NodeKeys:
    """Both private keys, raw."""

    link: bytes
    sealing: bytes

    def __repr__(self) -> str:
        return f"NodeKeys(of {self.link_public.hex()})"

    @property
    def link_public(self) -> bytes:
        """Give what the master knows this node by. CURVE's keys are X25519's."""
        return sealing_public(self.link)

    @property
    def sealing_public(self) -> bytes:
        """Give what secrets are sealed to."""
        return sealing_public(self.sealing)

    @classmethod
    def make(cls, directory: Path, random: Callable[[int], bytes]) -> Self:
        """Make what is missing of `random(32)` (secrets.token_bytes), and read both.

        SettingsError: a key is not one, or not ours alone.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in (LINK, SEALING):
                if not os.path.lexists(directory / name):
                    _make(directory, name, random(KEY_BYTES))
        except OSError as error:
            raise SettingsError(
                f"cannot make keys in {directory}: {error.strerror}; be root, and see that its "
                "disk has free space"
            ) from error
        return cls.read(directory)

    @classmethod
    def read(cls, directory: Path) -> Self:
        """Read both. SettingsError: one is missing, is not one, or is not ours alone."""
        _refuse_writable(directory)
        return cls(_read(directory / LINK), _read(directory / SEALING))


def _make(directory: Path, name: str, key: bytes) -> None:
    temporary, place = directory / f".saltern-{name}", directory / name
    with suppress(FileNotFoundError):  # of a process that died
        os.unlink(temporary)
    handle = os.open(temporary, NEW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(key.hex().encode() + b"\n")
        file.flush()
        os.fsync(handle)
    with suppress(FileExistsError):  # somebody else's join was faster: then that one counts
        os.link(temporary, place)
    os.unlink(temporary)
    above = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(above)
    finally:
        os.close(above)


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, OLD)
    except FileNotFoundError:
        raise SettingsError(
            f"cannot speak to a master: there is no {path}; `saltern-agent join TOKEN` makes it"
        ) from None
    except OSError as error:
        raise SettingsError(
            f"cannot read {path}: {error.strerror}; be root; where it is a symlink, take it away"
        ) from error
    try:
        _refuse_shared(path, os.fstat(handle))
        text = os.read(handle, 128)
    finally:
        os.close(handle)
    if not TEXT.match(text):
        raise SettingsError(
            f"cannot use {path}: it is no key (64 hexadecimal digits); put it back from where it "
            "was changed, or remove it and join with a new token"
        )
    return bytes.fromhex(text.decode())


def _refuse_shared(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise SettingsError(f"cannot use {path}: it is no file of this user's; take it away")
    if found.st_mode & 0o077:
        raise SettingsError(
            f"cannot use {path}: others can read it (mode {stat.S_IMODE(found.st_mode):04o}), so "
            "it proves nothing; remove it, and join with a new token"
        )


def _refuse_writable(directory: Path) -> None:
    try:
        found = os.stat(directory)
    except OSError as error:
        raise SettingsError(
            f"cannot look at {directory}: {error.strerror}; `saltern-agent join TOKEN` makes it"
        ) from error
    if found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise SettingsError(
            f"cannot use keys in {directory}: others can write there "
            f"(mode {stat.S_IMODE(found.st_mode):04o}); give it back to this user alone, see what "
            "was changed in it, then: chmod 0755"
        )
