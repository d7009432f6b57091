"""What a long build needs: its tools, one builder at a time, and lines that say how far it is.

Laws:
* what the machine lacks is named at once, with the command that brings it;
* a step says its name when it begins, that it lives every 15 s, and its time when it ends;
* a step's program ends with us, also when we are interrupted or killed;
* the lock goes with the process, so a killed builder holds up nobody.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

from saltern_master.binaries.components import BinaryError

GO = (Path("/usr/lib/go-1.19/bin/go"), Path("/usr/bin/go"))
TOOLS = (
    # a program, the Debian package that brings it
    (GO, "golang-go"),
    ((Path("/usr/bin/dpkg-source"),), "dpkg-dev"),
    ((Path("/usr/bin/apt-get"),), "apt"),
    ((Path("/usr/bin/nice"),), "coreutils"),
    ((Path("/usr/bin/setpriv"),), "util-linux"),
)
POLITELY = ("/usr/bin/setpriv", "--pdeathsig", "KILL", "/usr/bin/nice", "-n", "5")
PULSE = 15.0  # seconds between two signs of life
TURN = 0.5  # seconds between two looks whether another builder is done


def missing_tools() -> Path:
    """Give the Go compiler; BinaryError that names all the packages which the build lacks."""
    missing = [package for paths, package in TOOLS if not any(path.is_file() for path in paths)]
    if missing:
        raise BinaryError(
            f"cannot build Kubernetes: this machine lacks {', '.join(missing)}; "
            f"run: apt-get install --no-install-recommends {' '.join(missing)}"
        )
    return next(path for path in GO if path.is_file())


@dataclass(frozen=True, slots=True)
class Steps:
    """Runs steps and says how far they are; `say` takes one line, `pulse` is in seconds."""

    say: Callable[[str], None]
    pulse: float = PULSE

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Say a step's begin and end around what the caller does."""
        began = monotonic()
        self.say(f"{name} …")
        yield
        self.say(f"{name}: done in {monotonic() - began:.0f} s")

    def run(
        self,
        name: str,
        argv: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        log: Path,
        *,
        seconds: float,
    ) -> None:
        """Run one program of a build, politely; BinaryError with its last words."""
        began = monotonic()
        with self.timed(name), log.open("wb") as output:
            process = subprocess.Popen(
                [*POLITELY, *argv],
                cwd=directory,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # so that what it starts can be ended with it
            )
            try:
                self._wait(name, process, began, seconds)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            if process.returncode != 0:
                raise BinaryError(
                    f"cannot {name}: exit {process.returncode}: {last_words(log)}; all is in {log}"
                )

    def _wait(
        self, name: str, process: subprocess.Popen[bytes], began: float, seconds: float
    ) -> None:
        while monotonic() - began < seconds:
            with suppress(subprocess.TimeoutExpired):
                process.wait(self.pulse)
                return
            self.say(f"{name}: {monotonic() - began:.0f} s")
        raise BinaryError(f"cannot {name}: not done after {seconds / 60:.0f} minutes")


def take_turns(
    lock: Path, done: Callable[[], bool], work: Callable[[], None], steps: Steps
) -> None:
    """Do the work as the only builder, unless it is done or another one does it meanwhile."""
    told = False
    while not done():
        with _tried(lock) as mine:
            if mine and not done():
                work()
        if not mine:
            if not told:
                steps.say(f"another build is at work ({lock} is held); waiting …")
            told = True
            sleep(TURN)


@contextmanager
def _tried(lock: Path) -> Iterator[bool]:
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
    finally:
        os.close(descriptor)


def sweep(directory: Path) -> None:
    """Remove what interrupted builds left. The caller holds the lock."""
    for left_over in directory.glob(".*.unfinished"):
        left_over.unlink(missing_ok=True)


def last_words(log: Path) -> str:
    """The last lines of a log."""
    lines = log.read_text(errors="replace").strip().splitlines()
    return " / ".join(lines[-5:]) or "it said nothing"
