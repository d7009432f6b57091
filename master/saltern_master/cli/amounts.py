"""How much there is and how far it is, for commands that move many bytes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

STEP: Final = 0.1
LARGE: Final = 64 * 1024 * 1024


def progress() -> Callable[[int, int], None]:
    """Say how far it is, ten times, where it takes long enough to be worth it."""
    told = 0.0

    def progress(done: int, whole: int) -> None:
        nonlocal told
        if whole > LARGE and done >= (told + STEP) * whole:
            told = done / whole
            sys.stderr.write(f"{told:4.0%} of {mb(whole)}\n")

    return progress


def pieces_of(whole: int) -> Callable[[int], None]:
    """The same for what tells only how many bytes more were done, of so many."""
    say, done = progress(), 0

    def add(size: int) -> None:
        nonlocal done
        done += size
        say(done, whole)

    return add


def mb(size: int) -> str:
    """Give bytes as people read them."""
    return f"{size / 1e6:.1f} MB"


def size_text(size: int) -> str:
    """Give bytes as people read them, also few."""
    return mb(size) if size >= 1e6 else f"{size / 1e3:.1f} kB"
