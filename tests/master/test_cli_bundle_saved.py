"""saltern bundle import --save where a disk is full, and show where nobody reads on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from saltern_master.bundle.signers import FILE
from saltern_master.cli import app
from saltern_master.library import Index, Library
from typer.testing import CliRunner

from tests.master.bundles import made_library
from tests.master.clusters import SMALL
from tests.master.test_cli_bundle import AGENT, done, fingerprint, run


@pytest.fixture
def both(tmp_path: Path) -> tuple[Path, Path]:
    """Give the directories of who makes bundles and of who takes them; a package is beside them."""
    maker, home = tmp_path / "maker", tmp_path / "home"
    for one in (maker, home):
        CliRunner().invoke(app, ["init", str(one)])
    made_library(maker)
    (tmp_path / "cluster.yaml").write_text(SMALL)
    (tmp_path / AGENT).write_bytes(bytes(700_000))
    words = ("--agent", tmp_path / AGENT, "--home", maker)
    done("create", "-f", tmp_path / "cluster.yaml", "-o", tmp_path / "file", *words)
    return maker, home


LIMITED = """
import resource, signal, sys
from saltern_master.cli import app
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
app(sys.argv[1:])
"""


def test_what_cannot_be_saved_whole_is_not_there_and_what_came_in_is_told(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    """A package that is larger than any file may be by now stands for a full disk."""
    maker, home = both
    signer = ("--signer", fingerprint(maker))
    done("import", tmp_path / "file", *signer, "--home", home)
    (tmp_path / "to").mkdir()
    command = [sys.executable, "-c", LIMITED, "bundle", "import"]
    ended = subprocess.run(
        [*command, str(tmp_path / "file"), "--save", str(tmp_path / "to"), "--home", str(home)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "File too large; all of the bundle was taken in" in ended.stderr
    assert [one.name for one in (tmp_path / "to").iterdir()] == ["demo.yaml"]


def test_a_file_of_signers_that_others_can_write_takes_nothing_by_name_either(
    both: tuple[Path, Path], tmp_path: Path
) -> None:
    maker, home = both
    (home / FILE).write_text("{}")
    (home / FILE).chmod(0o666)
    result = run("import", tmp_path / "file", "--signer", fingerprint(maker), "--home", home)
    assert (result.exit_code, f"chmod 0644 {home / FILE}" in result.stderr) == (1, True)
    assert Library(home).list() == Index()


@pytest.mark.usefixtures("both")
def test_who_stops_reading_is_not_told_that_the_file_cannot_be_read(tmp_path: Path) -> None:
    """A pipe whose other end is closed before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", "from saltern_master.cli import app; app()", "bundle", "show"]
    ended = subprocess.run(
        [*command, str(tmp_path / "file")],
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writing)
    assert b"cannot read" not in ended.stderr
