"""Long-running tools: run to their end or to a deadline, their last lines kept for a person."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Final

from saltern_states.ports import HostError

LAST_LINES: Final = 15
MAX_SHOWN: Final = 3000
GRACE_SECONDS: Final = 20.0


def run(doing: str, command: Sequence[str], environment: Mapping[str, str], seconds: float) -> None:
    """Run a command; HostError with its last lines where it fails or is not done in time.

    It has a process group of its own: at the deadline all that it started is ended,
    by SIGTERM first.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd="/",
                process_group=0,
            )
        except OSError as error:
            raise HostError(f"cannot {doing}: cannot run {command[0]}: {error.strerror}") from error
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            _end(process)
            why = f"{command[0]} was not done after {seconds:.0f} s"
            raise HostError(f"cannot {doing}: {why}; it ends:\n{_tail(output)}") from error
        except BaseException:
            _end(process)
            raise
        if code:
            why = f"{command[0]} gave {code}"
            raise HostError(f"cannot {doing}: {why}; it ends:\n{_tail(output)}")


def _end(process: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
            return


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - MAX_SHOWN))
    lines = output.read().decode(errors="replace").strip().splitlines()
    return "\n".join(lines[-LAST_LINES:])
