"""What the agent says for a person: a line each on standard error, with journald's priorities."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TextIO

from saltern_protocol.errors import printable

from saltern_agent.events import DoneLine, DriftLine, Line, PlannedLine, text

ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6


@dataclass(frozen=True, slots=True)
class Log:
    """Writes lines. `journald`: each begins with its priority (sd-daemon(3))."""

    to: TextIO
    journald: bool

    def say(self, line: str, priority: int = INFO) -> None:
        """Write a line; what came from outside is escaped."""
        mark = f"<{priority}>" if self.journald else ""
        with suppress(OSError):  # a log that takes nothing is no reason to let go of the node
            print(f"{mark}{printable(line)}", file=self.to, flush=True)  # its purpose

    def hear(self, line: Line) -> None:
        """Write what the keeper told, where a person would want to read it."""
        if isinstance(line, PlannedLine):
            return
        said = text(line)
        if said:
            self.say(said, _priority(line))
        if isinstance(line, DoneLine):
            for row in line.detail.splitlines():
                self.say(f"    {row}", _priority(line))


def standard_log(invocation: str | None) -> Log:
    """Give the log of this process; `invocation` is systemd's $INVOCATION_ID."""
    return Log(sys.stderr, journald=bool(invocation))


def _priority(line: Line) -> int:
    if isinstance(line, DoneLine) and line.bad:
        return ERROR
    return WARNING if isinstance(line, DriftLine) else NOTICE
