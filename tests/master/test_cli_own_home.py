"""Root makes nothing in a directory of another user's, where the master could not read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from saltern_master.cli import app
from saltern_master.cli.own_home import refuse_root
from typer.testing import CliRunner

OTHER = 65_534
WORKS_THERE = (
    ("init", "HOME"),
    ("policy", "--home", "HOME"),
    ("compile", "x.yaml", "--home", "HOME"),
    ("sign", "x.yaml", "--home", "HOME"),
    ("key", "list", "--home", "HOME"),
    ("key", "take", "x", "--home", "HOME"),
    ("images", "add", "--home", "HOME"),
    ("packages", "list", "--home", "HOME"),
    ("binaries", "list", "--home", "HOME"),
    ("blobs", "add", "x", "--home", "HOME"),
    ("releases", "add", "x", "--home", "HOME"),
    ("releases", "list", "--home", "HOME"),
    ("bundle", "key", "--home", "HOME"),
    ("restore", "x", "--home", "HOME"),
)


@pytest.mark.system
@pytest.mark.parametrize("words", WORKS_THERE, ids=lambda words: " ".join(words[:2]))
def test_root_is_told_whose_it_is_and_nothing_is_made(
    tmp_path: Path, words: tuple[str, ...]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, OTHER, OTHER)
    there = [str(home) if word == "HOME" else word for word in words]
    done = CliRunner(env={"COLUMNS": "500"}).invoke(app, there)

    assert done.exit_code == 2
    assert "as root: it belongs to nobody" in done.output
    assert "runuser -u nobody -- saltern" in done.output
    assert list(home.iterdir()) == []


def test_ones_own_directory_and_one_that_is_not_there_are_well(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "new"):
        assert refuse_root(path) == path


@pytest.mark.system
def test_root_is_told_how_its_owner_makes_it_and_how_its_master_is_started(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, OTHER, OTHER)
    status = ["status", "--home", str(home)]
    assert f"runuser -u nobody -- saltern init {home}" in CliRunner().invoke(app, status).stderr
    (home / "keys").mkdir()
    assert "systemctl start saltern-master" in CliRunner().invoke(app, status).stderr
