"""What the front says for a person: lines on standard error, bounded in length and number.

* What came from outside is escaped. A key is shown by its fingerprint only.
* Over its rate lines are left out, and the next one says how many.
* A line that cannot be written ends nothing.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final, TextIO

from saltern_protocol.errors import printable

from saltern_master.front.budget import Bucket, Rate, spend

LINES: Final = Rate(burst=200, per_second=5)
MAX_LINE: Final = 500


class Log:
    """Writes lines; from any thread."""

    def __init__(self, to: TextIO, clock: Callable[[], float]) -> None:
        self._to, self._clock = to, clock
        self._bucket, self._left_out = Bucket(), 0
        self._lock = threading.Lock()

    def say(self, line: str) -> None:
        """Write a line, unless there were too many."""
        with self._lock:
            bucket = spend(self._bucket, LINES, 1, self._clock())
            if bucket is None:
                self._left_out += 1
                return
            self._bucket = bucket
            left = f" ({self._left_out} lines left out before)" if self._left_out else ""
            self._left_out = 0
            with suppress(OSError):  # its disk is full: that ends no front
                print(f"front: {printable(line)[:MAX_LINE]}{left}", file=self._to, flush=True)


def fingerprint(key: bytes) -> str:
    """Give what a key is shown as: the first half of its SHA-256, in hex."""
    return hashlib.sha256(key).hexdigest()[:32]
