"""Long-running tools: run to their end or to a deadline.

What a failure is told with is one line, the tool's own cause; its last lines are the detail.

Outside facts: apt-get begins what is wrong with "E: ", and dpkg with "dpkg: error"; what cannot be
resolved stands above apt's own line, as "one : Depends: other but ..."; what dpkg will not remove
stands above its own, as "two depends on one.".
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import zip_longest
from typing import IO, Final

from saltern_states.ports import HostError

LAST_LINES: Final = 15
MAX_SHOWN: Final = 3000
GRACE_SECONDS: Final = 20.0
MOST_CAUSES: Final = 3
MASK: Final = 0o022  # not the agent's own, stricter one: maintainer scripts make files for all
MAX_CAUSE: Final = 400
UNMET: Final = re.compile(r"\s*\S+ : (Pre)?(Depends|Breaks|Conflicts): |\s+\S+ depends on ")
SAID_BY_ANOTHER: Final = "E: Sub-process "  # dpkg's own line stands above it


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
                umask=MASK,
                process_group=0,
            )
        except OSError as error:
            raise HostError(f"cannot {doing}: cannot run {command[0]}: {error.strerror}") from error
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            _end(process)
            why, tail = f"{command[0]} was not done after {seconds:.0f} s", _tail(output)
            raise HostError(f"cannot {doing}: {why}; it ends: {cause(tail)}", tail) from error
        except BaseException:
            _end(process)
            raise
        if code:
            tail = _tail(output)
            raise HostError(f"cannot {doing}: {command[0]} gave {code}: {cause(tail)}", tail)


def cause(said: str) -> str:
    """Give in one line why apt-get or dpkg failed; of another tool, its last line."""
    lines = [line.rstrip() for line in said.splitlines() if line.strip()]
    found = dict.fromkeys(
        f"{line.strip()} {after.strip()}" if line.endswith(":") else line.strip()
        for line, after in zip_longest(lines, lines[1:], fillvalue="")
        if line.startswith(("E: ", "dpkg: error")) or UNMET.match(line)
    )
    own = [line for line in found if not line.startswith(SAID_BY_ANOTHER)] or list(found)
    told = "; ".join(own[:MOST_CAUSES]) or (lines[-1].strip() if lines else "it said nothing")
    return told if len(told) <= MAX_CAUSE else f"{told[:MAX_CAUSE]}…"


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
