"""`saltern backup` and `saltern restore`, killed at any step: whole, or not there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from saltern_master.records.restored import hold_restored
from saltern_master.signing.home import Home
from saltern_master.signing.recorded import open_store

from tests.master.backups import back, backup, tree
from tests.master.homes import made_home, signed

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
CALL = re.compile(r"^(?:\[pid +\d+\] )?(\w+)\(", re.MULTILINE)
COMMAND = "import sys; from saltern_master.cli import main; main()"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = made_home(tmp_path)
    signed(made)
    return made


@pytest.mark.parametrize("word", ["backup", "restore"])
def test_killed_at_any_step_it_is_whole_or_not_there(home: Home, tmp_path: Path, word: str) -> None:
    """The steps are system calls that change something."""
    backup(home, tmp_path / "good", "blobs")
    file, place = tmp_path / "file", tmp_path / "again"
    options = ["--without-blobs"] if word == "backup" else []
    arguments = {
        "backup": [str(file), "--home", str(home.path), *options],
        "restore": [str(tmp_path / "good"), "--home", str(place)],
    }[word]
    traced = "fsync,link,linkat,rename,renameat,renameat2,mkdir,fdatasync,unlink,fchmod"
    argv = [sys.executable, "-c", COMMAND, word, *arguments]
    clean = strace(traced, "", argv)
    assert clean.returncode == 0, clean.stderr
    steps = [  # strace counts each system call by itself
        (call, number)
        for call, count in Counter(CALL.findall(clean.stderr)).items()
        for number in range(1, count + 1)
    ]
    done = file if word == "backup" else place
    for call, number in steps[:: max(1, len(steps) // 8)]:
        shutil.rmtree(place, ignore_errors=True)
        file.unlink(missing_ok=True)
        killed = strace(traced, f"{call}:signal=KILL:when={number}", argv)
        assert "killed by SIGKILL" in killed.stderr, (call, number)
        if done.exists():
            check(done, home, tmp_path)
    shutil.rmtree(place, ignore_errors=True)
    file.unlink(missing_ok=True)
    again = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 0, again.stderr
    assert [one.name for one in tmp_path.iterdir() if one.name.startswith(".")] == []
    assert len(steps) > 10


def strace(traced: str, inject: str, argv: list[str]) -> subprocess.CompletedProcess[str]:
    options = ["-f", "-e", f"trace={traced}", *(["-e", f"inject={inject}"] if inject else [])]
    return subprocess.run(
        ["/usr/bin/strace", *options, "--", *argv],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def check(done: Path, home: Home, tmp_path: Path) -> None:
    """A backup that is there can be brought back; a home that is there is whole."""
    if done.is_file():
        shutil.rmtree(tmp_path / "checked", ignore_errors=True)
        back(done, tmp_path / "checked")
        done = tmp_path / "checked"
    named = {name for name in tree(home.path) if not name.startswith("blobs/")}
    assert {name for name in tree(done) if not name.startswith("blobs/")} == named
    with open_store(Home(done)) as store:
        assert hold_restored(store).value is not None
