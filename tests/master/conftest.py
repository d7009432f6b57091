"""What several files here stand on: a front with a core of ours, and a master with its API."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.master.api_stand import Master, join
from tests.master.api_stand import master as running
from tests.master.front_stand import A, B, Core, Lines, fronts, many_lines


@pytest.fixture
def lines() -> Iterator[Lines]:
    """A test's connections, all closed after it."""
    with many_lines() as one:
        yield one


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    """The core of a front that lets A and B in, and has its blobs in `tmp_path`."""
    with fronts(tmp_path, A.public, B.public) as one:
        yield one


@pytest.fixture
def master(tmp_path: Path) -> Iterator[Master]:
    """A master in another thread, with its home in `tmp_path`."""
    with running(tmp_path) as here:
        yield here


@pytest.fixture
def two(master: Master) -> Master:
    """With two nodes."""
    for name in ("w1", "w2"):
        join(master, name)
    return master
