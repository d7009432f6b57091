"""What every Images keeps: run on the fake (test_images.py) and on a node's docker (tests/lab)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest
from saltern_states.ports import HostError, Images

NAME = "saltern/contract:1"


class Ground(Protocol):
    """A docker, and an archive to load."""

    @property
    def images(self) -> Images:
        """Under test."""
        ...

    @property
    def archive(self) -> Path:
        """An archive that holds NAME."""
        ...

    @property
    def config(self) -> str:
        """The SHA-256 of that image's config."""
        ...

    def silence(self) -> Images:
        """Give the images of a docker that does not answer."""
        ...


def test_an_image_is_loaded_found_and_removed(ground: Ground) -> None:
    assert ground.images.digest(NAME) is None
    for _ in range(2):
        ground.images.load(ground.archive)
        assert ground.images.digest(NAME) == f"sha256:{ground.config}"
    ground.images.remove(NAME)
    assert ground.images.digest(NAME) is None


def test_what_is_no_archive_is_refused(ground: Ground, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"no archive " * 1000)
    for path in (junk, tmp_path / "not there"):
        with pytest.raises(HostError, match=f"cannot (load|read) .*{path.name}"):
            ground.images.load(path)


def test_what_is_not_there_cannot_be_removed(ground: Ground) -> None:
    with pytest.raises(HostError, match="cannot remove image saltern/no-such:1"):
        ground.images.remove("saltern/no-such:1")


def test_a_docker_that_does_not_answer_is_no_empty_one(ground: Ground) -> None:
    silent = ground.silence()
    with pytest.raises(HostError, match=r"docker does not answer.*is it running\?"):
        silent.digest(NAME)
    with pytest.raises(HostError, match="docker does not answer"):
        silent.load(ground.archive)
