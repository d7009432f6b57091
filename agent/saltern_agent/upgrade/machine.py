"""dpkg and systemd, as far as an upgrade of the agent needs them.

* A version is what dpkg calls installed, unpacked and configured; anything between is none.
* Another package manager is waited for: its front end by dpkg's front-end lock, which is held while
  dpkg runs; a dpkg that lives on although who started it was killed, by dpkg's own lock.
* dpkg finishes by itself what a dpkg that was killed left: its journal is read at the next run, and
  a package that is half there can be installed over.
* A dpkg that was killed has failed at nothing: it says no reason.
* The agent is started anew by systemd, and nobody waits for it here.
* tests/contracts/upgrade_laws.py is run on these and on what stands in for them in tests.

Outside facts: dpkg(1), dpkg-query(1); lib/dpkg/dbmodify.c on its two locks; systemctl(1).
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from saltern_agent.upgrade.stages import TICK

PACKAGE: Final = "saltern-agent"
UNIT: Final = "saltern-agent.service"
DPKG: Final = "/usr/bin/dpkg"
DPKG_QUERY: Final = "/usr/bin/dpkg-query"
SYSTEMCTL: Final = "/usr/bin/systemctl"
WHOLE: Final = ("installed", "triggers-pending", "triggers-awaited")
LOCK_SECONDS: Final = 600.0
INSTALL_SECONDS: Final = 600.0
SECONDS: Final = 30.0
MAX_SAID: Final = 600
ENVIRONMENT: Final = {
    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",  # as apt's DPkg::Path: no local program is root's
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "DEBIAN_FRONTEND": "noninteractive",
    "DPKG_FRONTEND_LOCKED": "true",
    # Its maintainer scripts leave the restart to us: we count the time from there.
    "SALTERN_UPGRADE": "1",
}


@dataclass(frozen=True)
class Run:
    """How the agent's unit stands: which run of it, and in which state; "": systemd did not say."""

    id: str = ""
    state: str = ""


class Packages(Protocol):
    """What dpkg does."""

    def installed(self) -> str:
        """Give the agent's version that is whole; "": none is, or nobody can say."""
        ...

    def install(self, file: Path) -> str:
        """Install a package over what is there, whatever state that is in, older or newer.

        Gives why it cannot be; "" where it is, or where dpkg was killed.
        """
        ...


class Unit(Protocol):
    """What systemd does."""

    def run(self) -> Run:
        """Say how the agent's unit stands."""
        ...

    def restart(self) -> str:
        """Have it started anew, by its file as it is now; gives why not, else ""."""
        ...


@dataclass(frozen=True)
class Dpkg:
    """The real dpkg. `root`: another one than the machine's, in tests; `options`: what it needs."""

    root: Path = Path("/")
    options: tuple[str, ...] = ()
    lock_seconds: float = LOCK_SECONDS

    def installed(self) -> str:
        """Give the version that is whole."""
        form = "--showformat=${db:Status-Status} ${Version}"
        command = [DPKG_QUERY, f"--admindir={self._admin}", "--show", form, "--", PACKAGE]
        status, _, version = _run(command, SECONDS).stdout.partition(" ")
        return version if status in WHOLE else ""

    def install(self, file: Path) -> str:
        """Install over what is there."""
        root = [] if self.root == Path("/") else [f"--root={self.root}"]
        command = [DPKG, *root, *self.options, "--force-confold", "--install", "--", str(file)]
        try:
            with self._locked():
                done = _run(command, INSTALL_SECONDS)
        except (BlockingIOError, PermissionError):  # the two ways in which a lock is not free
            return f"another package manager has held dpkg's lock for {self.lock_seconds:.0f} s"
        except OSError as error:
            return f"cannot lock dpkg: {error}"
        if done.returncode <= 0:
            return ""
        return f"dpkg could not install it: {_said(done.stderr)}"

    @property
    def _admin(self) -> Path:
        return self.root / "var/lib/dpkg"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of front ends, once no dpkg has its own."""
        until = time.monotonic() + self.lock_seconds
        with (self._admin / "lock-frontend").open("w") as front:
            _lock(front.fileno(), until)
            with (self._admin / "lock").open("w") as own:
                _lock(own.fileno(), until)
            yield


@dataclass(frozen=True)
class Systemd:
    """The real systemd."""

    unit: str = UNIT

    def run(self) -> Run:
        """Ask for the unit's invocation and state."""
        properties = "--property=InvocationID,ActiveState"
        done = _run([SYSTEMCTL, "show", properties, "--", self.unit], SECONDS)
        found = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
        return Run(found.get("InvocationID", ""), found.get("ActiveState", ""))

    def restart(self) -> str:
        """Have systemd read its files, and restart it."""
        _run([SYSTEMCTL, "daemon-reload"], SECONDS)
        done = _run([SYSTEMCTL, "restart", "--no-block", "--", self.unit], SECONDS)
        return _said(done.stderr) if done.returncode else ""


def _lock(handle: int, until: float) -> None:
    """Take a lock of POSIX's kind, as dpkg does. OSError: it was not free in time."""
    while True:
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except (BlockingIOError, PermissionError):
            if time.monotonic() >= until:
                raise
        time.sleep(TICK)


def _run(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a program; one that cannot be run, or takes too long, has failed."""
    try:
        return subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            env=ENVIRONMENT,
            cwd="/",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, 1, "", f"it took more than {seconds:.0f} s")
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", os.strerror(error.errno or 0))


def _said(text: str) -> str:
    return " ".join(text[-MAX_SAID:].split()) or "it did not say why"
