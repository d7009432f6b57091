"""saltern binaries and saltern images: results on standard output, errors as text and status 1."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import pytest
from saltern_master.cli import binaries, images
from saltern_master.images import File, ImageConfig, write_image
from typer.testing import CliRunner

from tests.master.programs import program

RUN = CliRunner()


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program that it runs is x86-64")
def test_binaries_are_added_and_listed(tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    program(tmp_path / "kubelet", "Kubernetes v1.20.2\n")
    added = RUN.invoke(binaries.app, ["add", "1.20.2", "--from", str(tmp_path), *home])
    assert added.exit_code == 0, added.output

    table = RUN.invoke(binaries.app, ["list"], env={"SALTERN_HOME": str(tmp_path / "home")})
    [head, line] = table.stdout.splitlines()
    listed = RUN.invoke(binaries.app, ["list", *home, "--output", "json"])
    [entry] = json.loads(listed.stdout)

    assert head.split() == ["version", "component", "architecture", "size", "origin", "sha256"]
    assert line.split() == [str(entry[name]) for name in head.split()]
    assert entry["component"] == "kubelet"


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the program that it runs is x86-64")
def test_a_program_is_saved_as_it_came(tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    program(tmp_path / "kubelet", "Kubernetes v1.20.2\n")
    added = RUN.invoke(binaries.app, ["add", "1.20.2", "--from", str(tmp_path), *home])
    assert added.exit_code == 0, added.output

    to = tmp_path / "mine"
    saved = RUN.invoke(binaries.app, ["save", "1.20.2", "kubelet", str(to), *home])

    assert saved.exit_code == 0, saved.output
    assert to.read_bytes() == (tmp_path / "kubelet").read_bytes()
    assert to.stat().st_mode & 0o777 == 0o755


def test_a_program_that_was_never_added_is_not_saved(tmp_path: Path) -> None:
    to = tmp_path / "mine"
    home = ["--home", str(tmp_path / "home")]
    saved = RUN.invoke(binaries.app, ["save", "1.20.2", "kubectl", str(to), *home])

    assert saved.exit_code == 1
    assert "run: saltern binaries add 1.20.2" in saved.stderr
    assert not to.exists()


def test_an_archive_is_added_and_listed(tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    config = ImageConfig(entrypoint=("/serve",))
    image = write_image(tmp_path / "image.tar", "a/b:1", [File("/serve", b"")], config)
    added = RUN.invoke(images.app, ["add", "--archive", str(tmp_path / "image.tar"), *home])
    assert added.exit_code == 0, added.output

    listed = RUN.invoke(images.app, ["list", *home, "--output", "json"])
    assert [entry["config_digest"] for entry in json.loads(listed.stdout)] == [image.config_digest]


@pytest.mark.parametrize(
    ("argv", "error"),
    [
        (["add", "1.20.2", "--from", "/nonexistent"], "cannot find a program in /nonexistent"),
        (["add", "1.20.2", "--from", "/x", "--build"], "not both"),
        (["add", "1.20.2", "--build", "--arch", "arm64"], "cannot choose --arch arm64"),
        (["add", "1.21.2", "--build"], "cannot build 1.21.2"),
        (["add", "1.20.2", "--site", "ftp://x"], "not an http(s) address"),
    ],
)
def test_what_cannot_be_added_is_told(tmp_path: Path, argv: list[str], error: str) -> None:
    done = RUN.invoke(binaries.app, [*argv, "--home", str(tmp_path)])

    assert done.exit_code == 1
    assert done.stderr.splitlines()[-1].startswith("saltern: cannot ")
    assert error in done.stderr
    assert done.stdout == ""


def test_an_image_that_is_not_ours_is_told(tmp_path: Path) -> None:
    done = RUN.invoke(images.app, ["add", "nginx", "--home", str(tmp_path)])

    assert done.exit_code == 1
    assert "cannot make an image of nginx; known are pause, echo" in done.stderr
