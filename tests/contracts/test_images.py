"""The laws of Images, on the fake. tests/lab/test_images_docker.py runs them on a real docker."""

from __future__ import annotations

from pathlib import Path

import pytest
from saltern_states.ports import Images
from saltern_states.testing import FakeImages

from tests.contracts.image_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.contracts.image_laws import NAME


class FakeGround:
    """In memory."""

    archive = Path("/var/lib/saltern/blobs/archive")
    config = "c" * 64

    def __init__(self) -> None:
        self.images = FakeImages()
        self.images.put_archive(self.archive, NAME, self.config)

    def silence(self) -> Images:
        self.images.silent = True
        return self.images


@pytest.fixture
def ground() -> FakeGround:
    return FakeGround()
