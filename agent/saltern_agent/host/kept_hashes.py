"""Hashes of large files, kept over a restart of the agent, not over one of the node.

To hash what a worker runs takes a quarter of a second of CPU, more than all else that a start
does. What was hashed before and is believed (hashes.py says when) is believed by the next agent,
too: the file lies in /run, which a boot empties, and nobody but root can write there.

Cache: PATH (/run/saltern/hashes), one MessagePack list of stamp and hash, mode 0600, replaced
whole. One that cannot be read is none: all is hashed again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

WORTH_BYTES: Final = 1 << 20  # what is smaller is hashed in two milliseconds
MAX_FILE_BYTES: Final = 4 << 20

Stamp = tuple[int, int, int, int, int]

_read = msgspec.msgpack.Decoder(tuple[tuple[Stamp, str], ...]).decode
_write = msgspec.msgpack.Encoder().encode


@dataclass(frozen=True, slots=True)
class KeptHashes:
    """The file."""

    path: Path

    def read(self) -> dict[Stamp, str]:
        """Give what was kept; {} where nothing was, or it is none of ours."""
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return {}
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if found.st_uid != os.geteuid() or found.st_mode & 0o077:
                return {}
            try:
                return dict(_read(file.read(MAX_FILE_BYTES)))
            except (OSError, msgspec.MsgspecError):
                return {}

    def write(self, known: Mapping[Stamp, str]) -> None:
        """Keep those that are worth it; where that fails they are hashed again, that is all."""
        large = tuple((stamp, found) for stamp, found in known.items() if stamp[2] >= WORTH_BYTES)
        part = self.path.with_name(f"{self.path.name}.part")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self.path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            handle = os.open(part, flags, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(_write(large))
            os.replace(part, self.path)
        except OSError:
            return


class ReadHashes(KeptHashes):
    """The file for a second reader in the process: what that hashes itself is not kept."""

    def write(self, known: Mapping[Stamp, str]) -> None:
        """Nothing: the file has one writer."""
