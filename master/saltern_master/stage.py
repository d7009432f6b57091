"""Where a demo is shown: titles, and lines with the time since its start."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """Prints for a person who watches."""

    began: float
    color: bool

    @classmethod
    def open(cls) -> Stage:
        """Begin now, on standard output."""
        return cls(time.monotonic(), sys.stdout.isatty())

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return time.monotonic() - self.began

    def title(self, text: str) -> None:
        """Begin a part."""
        bold, plain = ("\033[1m", "\033[0m") if self.color else ("", "")
        self._print(f"\n{bold}{text}{plain}")

    def line(self, text: str) -> None:
        """Show a line of what happens, with the seconds since the start."""
        for row in text.rstrip("\n").split("\n"):
            self._print(f"{self.seconds:7.1f}  {row}")

    def _print(self, text: str) -> None:
        print(text, flush=True)  # noqa: T201  # its purpose
