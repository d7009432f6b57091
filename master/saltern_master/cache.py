"""Where Saltern keeps what is expensive to make, and how two processes share it.

    ~/.cache/saltern/debs/           .deb files, and closures/ (packages.py)
    ~/.cache/saltern/apt/KEY/        apt's own lists for one set of sources (apt.py)
    ~/.cache/saltern/lab/rootfs/     root file systems of nodes (lab/rootfs.py)
    ~/.cache/saltern/packages/       wheels by their lock, packages by what they are made from
                                     (packaging/saltern_build)

All of it can be removed at any time when nothing runs; it is made again when missing. What is
named by a hash is finished: it was made beside its place and renamed.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def root() -> Path:
    """The cache of the person who runs this."""
    return Path.home() / ".cache" / "saltern"


@contextmanager
def locked(path: Path) -> Iterator[int]:
    """Hold a lock file, waiting for who has it; give its descriptor, for programs that we start.

    The kernel frees it when all who hold the descriptor are dead.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)
