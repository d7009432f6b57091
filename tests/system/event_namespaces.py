"""Namespaces of the test's own process: entered for a block, left again after it."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNS = 0x0002_0000
CLONE_NEWNET = 0x4000_0000


def run(*command: str, stdin: str = "") -> str:
    """Run a program by its absolute path; give what it printed."""
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
    return done.stdout


@contextmanager
def network_namespace() -> Iterator[None]:
    """Be in a new, empty network namespace."""
    with _namespace("net", CLONE_NEWNET):
        run("/usr/sbin/ip", "link", "set", "lo", "up")
        yield


@contextmanager
def mount_namespace() -> Iterator[None]:
    """Be in a mount namespace whose mounts nobody else sees."""
    with _namespace("mnt", CLONE_NEWNS):
        run("/usr/bin/mount", "--make-rprivate", "/")
        yield


@contextmanager
def _namespace(kind: str, flag: int) -> Iterator[None]:
    libc = ctypes.CDLL(None, use_errno=True)
    directory = os.getcwd()
    outside = os.open(f"/proc/thread-self/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _check(libc.unshare(flag), f"unshare {kind}")
        yield
    finally:
        _check(libc.setns(outside, flag), f"setns {kind}")
        os.close(outside)
        os.chdir(directory)


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)
