"""When certificates end, read from the disk; what was read stays known while the file is the same.

`host/x509.py` weighs 10 MB in memory: it is imported where a node has a certificate, whose kind
has it loaded already.

Cache: in memory, path -> (inode, size and time of its last change, what was read), for the paths
of the body alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from saltern_agent.health.values import CertificateSeen, Expiring
from saltern_agent.host.beneath import Root

MAX_BYTES = 64 * 1024
Stamp = tuple[int, int, int, int]


class Ends:
    """Reads certificates of a node. `root`: the directory that stands for its "/"."""

    def __init__(self, root: Path = Path("/")) -> None:
        self._root = Root(root)
        self._read: dict[str, tuple[Stamp, CertificateSeen]] = {}

    def look(self, wanted: Iterable[Expiring]) -> tuple[CertificateSeen, ...]:
        """Say of each when it ends, or why that cannot be told."""
        before, self._read = self._read, {}
        return tuple(self._one(one, before.get(one.path)) for one in wanted)

    def _one(
        self, wanted: Expiring, before: tuple[Stamp, CertificateSeen] | None
    ) -> CertificateSeen:
        try:
            handle = self._root.open(Path(wanted.path), os.O_RDONLY | os.O_NONBLOCK)
            with open(handle, "rb") as file:
                found = os.fstat(handle)
                if not stat.S_ISREG(found.st_mode):
                    return CertificateSeen(wanted.path, why="it is no file")
                stamp = (found.st_ino, found.st_size, found.st_mtime_ns, wanted.renew_before)
                if before is None or before[0] != stamp:
                    before = stamp, _parsed(wanted, file.read(MAX_BYTES))
        except OSError as error:
            return CertificateSeen(wanted.path, why=(error.strerror or str(error)).lower())
        self._read[wanted.path] = before
        return before[1]


def _parsed(wanted: Expiring, pem: bytes) -> CertificateSeen:
    from saltern_agent.host import x509

    leaf = x509.read_leaf(pem, None, "")
    if leaf is None:
        return CertificateSeen(wanted.path, why="it holds no certificate")
    due = leaf.not_after - (wanted.renew_before or leaf.life // 3)
    return CertificateSeen(wanted.path, leaf.not_after, due)
