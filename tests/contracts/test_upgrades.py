"""The laws of an upgrader's ports, in memory. tests/system/test_upgrade.py has a real dpkg."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.contracts.upgrade_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.upgrade.fake import FakeDpkg, FakeUnit


class FakeGround:
    """In memory."""

    def __init__(self) -> None:
        self.packages = FakeDpkg()
        self.unit = FakeUnit()

    def deb(self, version: str, fault: str = "") -> Path:
        return Path(f"/debs/{version}{'-' if fault else ''}{fault}")

    def break_off(self, version: str) -> None:
        self.packages.status, self.packages.whole = version, False


@pytest.fixture
def ground() -> FakeGround:
    return FakeGround()
