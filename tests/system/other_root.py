"""This machine's own system, seen through an overlay: what is done to it stays in memory.

A forked process takes a mount namespace of its own, lays a tmpfs over the root file system,
moves there, and does what it is asked through a pipe until the pipe closes.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from saltern_states.ports import HostError

CLONE_NEWNS = 0x00020000
MOUNT = "/usr/bin/mount"
ANSWER_SECONDS = 120


class OtherRoot:
    """A process in its own copy of this system; `ask` runs a function there."""

    def __init__(self, place: Path) -> None:
        fork = multiprocessing.get_context("fork")
        self._ours, theirs = fork.Pipe()
        self._process = fork.Process(target=serve, args=(place, self._ours, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, do: Callable[..., Any], *words: object) -> Any:  # noqa: ANN401  # whatever `do` gives
        """Run do(*words) there; HostError as it is raised there, AssertionError for all else.

        `do` is a function of a module, or a method of a value that can be sent there.
        """
        self._ours.send((do, words))
        assert self._ours.poll(ANSWER_SECONDS), "no answer from the other root"
        found, error, told = self._ours.recv()
        if error == "HostError":
            raise HostError(*told)
        assert not error, f"{error}: {told}"
        return found

    def close(self) -> None:
        """End it; all that it did is gone."""
        self._ours.close()
        self._process.join(20)
        assert self._process.exitcode == 0


def serve(place: Path, ours: Connection, theirs: Connection) -> None:
    """Move into the overlay and answer until the tests' end of the pipe closes."""
    ours.close()  # the fork has it too, and would never see it closed
    enter(place)
    while True:
        try:
            do, words = theirs.recv()
        except EOFError:
            return
        try:
            theirs.send((do(*words), "", ""))
        except HostError as error:
            theirs.send((None, "HostError", (str(error), error.detail)))
        except Exception as error:  # noqa: BLE001  # told to the test, which fails by it
            theirs.send((None, type(error).__name__, str(error)))


def enter(place: Path) -> None:
    """Take a mount namespace, lay a tmpfs over "/", and make that the root."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "unshare")
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "tmpfs", str(place))
    for name in ("upper", "work", "root"):
        (place / name).mkdir()
    layers = f"lowerdir=/,upperdir={place}/upper,workdir={place}/work"
    mount("-t", "overlay", "overlay", "-o", layers, str(place / "root"))
    for name in ("dev", "proc"):
        mount("--rbind", f"/{name}", str(place / "root" / name))
    os.chroot(place / "root")
    os.chdir("/")


def mount(*words: str) -> None:
    """Run mount(8)."""
    subprocess.run([MOUNT, *words], check=True, timeout=20, capture_output=True)
