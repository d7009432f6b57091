"""How many descriptors this process holds open, so that a test can see a leak.

What earlier tests dropped is collected first. Threads of theirs may still open and close some
meanwhile (libzmq's do): so a test takes many turns, and a leak is more than a few STRAY ones.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

STRAY: Final = 10
TURNS: Final = 20


def open_descriptors() -> int:
    """Count the open descriptors, with all garbage collected."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@contextmanager
def uncollected() -> Iterator[None]:
    """Have no garbage collected: what is closed by that alone may stay open for hours."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
