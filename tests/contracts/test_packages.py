"""The laws of Packages, on the fake. tests/system/test_dpkg.py runs them on the real dpkg."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.testing import FakePackages

from tests.contracts.package_laws import *  # noqa: F403  # each of its tests is one of ours


class FakeGround:
    """In memory."""

    def __init__(self) -> None:
        self.packages = FakePackages()

    def deb(self, name: str, version: str, *needs: str) -> Path:
        path = Path(f"/var/lib/saltern/blobs/{name} {version}")
        self.packages.put_deb(path, name, version, needs)
        return path


@pytest.fixture
def ground() -> FakeGround:
    return FakeGround()
