"""The laws of Units, on the fake. tests/lab/test_units.py runs them on a booted node."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.testing import FakeBlobs, FakeFiles, FakeUnits

from tests.contracts.unit_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.contracts.unit_laws import BINARY, UNIT


class FakeGround:
    """In memory."""

    def __init__(self) -> None:
        self.files = FakeFiles(FakeBlobs())
        self.units = FakeUnits(self.files)
        self.programs = 0

    def put(self, path: str, content: bytes) -> None:
        self.files.put_file(path, content)

    def read(self, path: Path) -> bytes | None:
        return self.files.read(path)

    def take(self, path: str) -> None:
        self.files.take(path)

    def put_program(self) -> None:
        self.programs += 1
        self.put(BINARY, b"%d" % self.programs)

    def mask(self, unit: str) -> None:
        self.units.mask(unit)

    def crash(self, unit: str) -> None:
        self.units.crash(unit)

    def set_failing(self, failing: bool) -> None:
        self.units.fail = {UNIT: "failed"} if failing else {}


@pytest.fixture
def ground() -> FakeGround:
    return FakeGround()
