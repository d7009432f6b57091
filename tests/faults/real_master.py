"""Masters that are begun often: real ones, forked from a process that has imported all of it.

A Foundry forks `run_core` (core, which starts its real front) on a HOME; a Foundry that was given a
size has a tmpfs of its own for HOMEs, in a mount namespace of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from saltern_master.api.client import Client
from saltern_master.core.settings import Settings

SECONDS = 30.0
ENOUGH = Settings  # imported here so that a broken core is told before a process of it is begun
PORTS = re.compile(r"^ready: listens on \S+ ports (\d+) \(link\) and (\d+) \(door\)", re.MULTILINE)
SERVER = """
import os, sqlite3, sys
from pathlib import Path
from saltern_master.core.run import run_core
from saltern_master.errors import MasterError

for line in sys.stdin:
    word, *given = line.split()
    if word == "wait":
        print(os.waitstatus_to_exitcode(os.waitpid(int(given[0]), 0)[1]), flush=True)
        continue
    if word == "cut":
        db = sqlite3.connect(given[0])
        print(db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone(), flush=True)
        db.close()
        continue
    home, log = given
    pid = os.fork()
    if pid == 0:
        null, said = os.open("/dev/null", os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for target, source in ((0, null), (1, said), (2, said)):
            os.dup2(source, target)
        try:
            run_core(Path(home), listen="127.0.0.1", link_port=0, door_port=0, advertise="127.0.0.1")
        except MasterError as error:
            print(f"saltern: {error}", flush=True)
            os._exit(1)
        except BaseException as error:
            print(f"broke: {error!r}", flush=True)
            os._exit(3)
        os._exit(0)
    print(pid, flush=True)
"""  # noqa: E501


def wait_for(what: str, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait for a condition; AssertionError names it."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.005)


@dataclass(slots=True)
class Running:
    """A master."""

    pid: int
    log: Path
    since: int  # bytes of the log that are others'
    client: Client
    foundry: Foundry
    exit: int | None = None

    @property
    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text(errors="replace")[self.since :] if self.log.exists() else ""

    def ports(self) -> tuple[int, int]:
        """Wait until it listens; give the ports of link and door."""
        wait_for(f"the master listens: {self.said}", lambda: bool(PORTS.search(self.said)))
        found = PORTS.search(self.said)
        if found is None:
            raise AssertionError("it listened a moment ago")
        return int(found[1]), int(found[2])

    def alive(self) -> bool:
        """Tell whether it runs: a zombie does not."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except (FileNotFoundError, ProcessLookupError):
            return False

    def kill(self) -> None:
        """End it as a power cut of this process would."""
        if self.exit is None and self.alive():
            os.kill(self.pid, signal.SIGKILL)
        self.ended()

    def ended(self) -> int:
        """Wait for its end; give its exit status, negative for a signal."""
        if self.exit is None:
            self.exit = int(self.foundry.ask(f"wait {self.pid}"))
        return self.exit


class Foundry:
    """Begins masters; ends with close(), and all of them with it."""

    def __init__(self, tmpfs: Path | None = None, size: str = "") -> None:
        self.tmpfs = tmpfs
        argv = [sys.executable, "-c", SERVER]
        if tmpfs is not None:
            script = f'/usr/bin/mount -t tmpfs -o size={size},mode=0711 tmpfs "$0"; exec "$@"'
            unshare = ["/usr/bin/unshare", "--mount", "--propagation=private", "--"]
            argv = [*unshare, "/bin/sh", "-ec", script, str(tmpfs), *argv]
        self._server = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._masters: list[Running] = []

    def seen(self, path: Path) -> Path:
        """Give a path of the masters' as it is seen from here."""
        if self.tmpfs is None:
            return path
        return Path(f"/proc/{self._server.pid}/root{path}")

    def ready(self) -> None:
        """Wait until its tmpfs is there."""
        if self.tmpfs is not None:
            inside = self.seen(self.tmpfs)
            wait_for(
                "the tmpfs is there",
                lambda: inside.exists() and inside.stat().st_dev != self._outer(),
            )

    def begin(self, home: Path, log: Path) -> Running:
        """Begin a master; it may not listen yet."""
        socket = self.seen(home / "run" / "api.sock")
        socket.unlink(missing_ok=True)
        seen = self.seen(log)
        since = len(seen.read_text(errors="replace")) if seen.exists() else 0
        pid = int(self.ask(f"begin {home} {log}"))
        one = Running(pid, seen, since, Client(socket), self)
        self._masters.append(one)
        return one

    def cut_wal(self, home: Path) -> None:
        """Cut -wal off: the next commits would go into the 4 MiB that it has on a full disk too."""
        found = self.ask(f"cut {home / 'store.db'}")
        if not found.startswith("(0, 0"):
            raise AssertionError(f"-wal was not cut off: {found}")

    def ask(self, line: str) -> str:
        """Have the server do something."""
        if self._server.stdin is None or self._server.stdout is None:
            raise AssertionError("it has pipes")
        self._server.stdin.write(line + "\n")
        self._server.stdin.flush()
        return self._server.stdout.readline().strip()

    def close(self) -> None:
        """End everything that was begun here."""
        for one in self._masters:
            one.kill()
        self._server.kill()
        self._server.communicate()

    def _outer(self) -> int:
        return self.tmpfs.stat().st_dev if self.tmpfs is not None else 0


@contextmanager
def foundry(tmpfs: Path | None = None, size: str = "") -> Iterator[Foundry]:
    """Give a Foundry that is closed in the end."""
    one = Foundry(tmpfs, size)
    try:
        one.ready()
        yield one
    finally:
        one.close()


def fresh(template: Path, home: Path) -> Path:
    """Copy a HOME, which no master has, to another place."""
    shutil.rmtree(home, ignore_errors=True)
    left = shutil.ignore_patterns("api.sock", "log")
    return Path(shutil.copytree(template, home, ignore=left))


@contextmanager
def traced(pid: int, options: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Have strace at a process's main thread while this lasts.

    One that kills at the next call may have done so, and be gone, before anybody sees it there.
    """
    argv = ["/usr/bin/strace", "-p", str(pid), "-o", str(log), *options]
    strace = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for("strace is there", lambda: _tracer(pid) != "0" or strace.poll() is not None)
        if strace.poll():
            raise AssertionError(f"strace cannot follow {pid}: it ended with {strace.poll()}")
        yield strace
    finally:
        if strace.poll() is None:
            strace.terminate()
        strace.wait(SECONDS)


def _tracer(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^TracerPid:\s+(\d+)", status, re.MULTILINE)
    return found[1] if found else "0"
