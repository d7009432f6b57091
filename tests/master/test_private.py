"""HOME is the master's alone, or the master does not start and says all that is wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from saltern_master.signing.home import Home
from saltern_master.signing.key_file import HomeError
from saltern_master.signing.private import refuse_shared
from saltern_master.signing.recorded import open_store

from tests.master.homes import made_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = made_home(tmp_path)
    with open_store(made):
        pass
    return made


def test_what_init_makes_is_well(home: Home) -> None:
    refuse_shared(home.path)


def test_what_a_person_brought_has_the_mode_that_they_gave_it(home: Home) -> None:
    home.facts_file("w1").write_text("{}")
    home.facts_file("w1").chmod(0o664)
    refuse_shared(home.path)


def test_what_is_not_there_is_for_others_to_tell(tmp_path: Path) -> None:
    refuse_shared(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.chmod(0o755), "home: others can read it"),
        (lambda path: path.chmod(0o713), "home: others can write it"),
        (lambda path: (path / "keys").chmod(0o750), "keys: others can read and enter it"),
        (lambda path: (path / "keys/state.key").chmod(0o640), "state.key: others can read it"),
        (lambda path: (path / "keys/link.key").chmod(0o602), "link.key: others can write it"),
        (lambda path: (path / "pki").chmod(0o755), "pki: others can read and enter it"),
        (lambda path: (path / "store.db").chmod(0o644), "store.db: others can read it"),
        (lambda path: (path / "policy.yaml").chmod(0o666), "policy.yaml: others can write it"),
        (lambda path: path.parent.chmod(0o777), "anybody can put another directory below it"),
        (lambda path: (path / "keys/x.key").symlink_to("state.key"), "x.key: it is a symlink"),
        (lambda path: os.mkfifo(path / "keys/x.key"), "x.key: it is a pipe"),
    ],
)
def test_it_does_not_start(home: Home, harm: Callable[[Path], object], told: str) -> None:
    harm(home.path)
    with pytest.raises(HomeError, match="cannot run a master on") as caught:
        refuse_shared(home.path)
    assert told in str(caught.value)


def test_the_process_ends_and_tells_all_at_once(home: Home) -> None:
    (home.path / "keys/state.key").chmod(0o644)
    (home.path / "store.db").chmod(0o660)
    command = [sys.executable, "-m", "saltern_master", "master", "run", "--home", str(home.path)]
    code = "import sys; from saltern_master.cli import main; sys.argv[0] = 'saltern'; main()"
    command[1:3] = ["-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert "state.key: others can read it" in done.stderr
    assert "store.db: others can read and write it" in done.stderr
    assert "run: chmod 0600" in done.stderr


def test_home_on_another_disk_is_home(home: Home, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(home.path)
    refuse_shared(link)


@pytest.mark.parametrize("name", ["../../etc/x", "", "/", "a/b", "a\0b", "x" * 300, "W1", "w1\n"])
def test_facts_lie_under_the_name_of_a_node(home: Home, name: str) -> None:
    with pytest.raises(HomeError, match="no name of a node"):
        home.facts_file(name)
