"""A file whose owner has a lease on it (fcntl(2), F_SETLEASE) and does not give it back."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator
from pathlib import Path

LEASE_SECONDS = 20.0  # the kernel waits 45 for who has a lease


@contextlib.contextmanager
def lease_held(path: Path) -> Iterator[None]:
    """Another process has a lease on the file and does not give it back when it is asked to."""
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGIO, signal.SIG_IGN)
        fcntl.fcntl(os.open(path, os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)
        os.write(tell, b"x")
        signal.pause()
        os._exit(0)
    try:
        os.read(told, 1)
        yield
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)
