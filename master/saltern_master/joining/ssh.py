"""ssh: the port, and the user's own OpenSSH client behind it.

* It is the person's ssh: their configuration, agent, keys and known hosts. BatchMode: it asks
  nobody anything, so a host key that is not known is refused, and nothing waits for a password.
* The machine comes after `--`, the command after it as one word, all data over standard input.
* Nothing of this machine is lent to that one: no agent, no display, no forwarded port.
* A command has `seconds`, and MOST bytes to say; after that its ssh is killed, and that is told as
  such: a machine that talks without end costs nothing but its own turn.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import BinaryIO, Final, Protocol

from saltern_master.errors import MasterError

MOST: Final = 1024 * 1024
"""Bytes that a command may say, of each sort: what is asked for is some thousands."""
AT_ONCE: Final = 64 * 1024
PROGRAM: Final = "/usr/bin/ssh"
OPTIONS: Final = (
    "-T",
    "-oBatchMode=yes",
    "-oConnectTimeout=15",
    "-oServerAliveInterval=15",
    "-oServerAliveCountMax=4",
    "-oForwardAgent=no",
    "-oForwardX11=no",
    "-oClearAllForwardings=yes",
    "-oPermitLocalCommand=no",
    "-oRemoteCommand=none",
    "-oLogLevel=ERROR",
)


class SshError(MasterError):
    """ssh itself cannot be run here, or came to no end."""


@dataclass(frozen=True, slots=True)
class Said:
    """How a command ended there: 255 is ssh's own (it could not begin, or lost the machine)."""

    status: int
    out: str = ""
    err: str = ""


class Ssh(Protocol):
    """Runs commands on machines. Each call is a connection of its own; from any thread."""

    def run(self, host: str, command: str, given: bytes | Path, seconds: float) -> Said:
        """Run a command with this on its standard input (a Path: that file). SshError."""
        ...


@dataclass(frozen=True, slots=True)
class OpenSsh:
    """The program. `more`: options before the machine, as a test needs them."""

    more: tuple[str, ...] = ()

    def run(self, host: str, command: str, given: bytes | Path, seconds: float) -> Said:
        """Run a command there. SshError."""
        argv = [PROGRAM, *OPTIONS, *self.more, "--", host, command]
        until = time.monotonic() + seconds
        try:
            with (
                _readable(given) as file,
                subprocess.Popen(
                    argv, stdin=file, stdout=subprocess.PIPE, stderr=subprocess.PIPE
                ) as process,
            ):
                try:
                    out, err = _said(process, until)
                    process.wait(max(0.0, until - time.monotonic()))
                finally:
                    process.kill()  # one that has ended hears nothing of it
        except (TimeoutError, subprocess.TimeoutExpired) as error:
            raise SshError(f"it came to no end within {seconds:g} s") from error
        except FileNotFoundError as error:
            raise SshError(f"there is no {error.filename or PROGRAM} here: install it") from error
        except OSError as error:
            raise SshError(f"cannot run {error.filename or PROGRAM}: {error.strerror}") from error
        return Said(process.returncode, _text(out), _text(err))


@contextmanager
def _readable(given: bytes | Path) -> Iterator[BinaryIO]:
    """Give a file to read from; what is in memory is in none with a name."""
    if isinstance(given, Path):
        with given.open("rb") as file:
            yield file
        return
    with os.fdopen(os.memfd_create("given", os.MFD_CLOEXEC), "w+b") as file:
        file.write(given)
        file.seek(0)
        yield file


def _said(process: subprocess.Popen[bytes], until: float) -> tuple[bytes, bytes]:
    """Give what a process says until it closes both its ends. TimeoutError; SshError: too much."""
    said: dict[int, bytearray] = {}
    with DefaultSelector() as ends:
        for end in (process.stdout, process.stderr):
            if end is not None:
                ends.register(end, EVENT_READ)
                said[end.fileno()] = bytearray()
        while ends.get_map():
            ready = ends.select(max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError
            for key, _ in ready:
                piece = os.read(key.fd, AT_ONCE)
                said[key.fd] += piece
                if not piece:
                    ends.unregister(key.fileobj)
                if len(said[key.fd]) > MOST:
                    raise SshError(f"it said more than {MOST} bytes, and was not listened to")
    out, err = said.values()
    return bytes(out), bytes(err)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
