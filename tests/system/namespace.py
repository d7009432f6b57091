"""A network namespace of its own for one test, in this very process.

The test's thread moves into a new namespace and back; sockets that it makes and programs
that it starts meanwhile belong to the new one. About a millisecond, no child, no mount.
Only for the main thread, without others that touch the network.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

CLONE_NEWNET: Final = 0x40000000  # <linux/sched.h>
ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}


@contextmanager
def network_namespace() -> Iterator[None]:
    """Be in an empty network namespace: one loopback, down, no address, no rule."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call(libc.unshare(CLONE_NEWNET), "leave the network namespace")
        try:
            yield
        finally:
            _call(libc.setns(home, CLONE_NEWNET), "come back to the network namespace")
    finally:
        os.close(home)


def run(*command: str, given: str = "") -> str:
    """Run a program that must succeed and give what it prints."""
    done = subprocess.run(
        command, input=given, capture_output=True, text=True, timeout=20, env=ENVIRONMENT
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def _call(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot {doing}: {os.strerror(number)}")
