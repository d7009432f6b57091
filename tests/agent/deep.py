"""Directories in one another, as somebody makes them who wants a program to fail at them."""

from __future__ import annotations

import os
from pathlib import Path

DEEP = 3000


def make_deep(top: Path) -> None:
    """Make directories in one another, more than Python goes into and than a path can name."""
    top.mkdir()
    at = os.open(top, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(DEEP):
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY | os.O_DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    os.close(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=at))
    os.close(at)
