"""kill -9 at each step of saltern key: the master signs after it, and the command works again.

A child stops before each thing that it does to a file of HOME: before the first, before the second
and so on, until it comes through.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from itertools import count
from pathlib import Path

import pytest
from saltern_master.cli import app
from saltern_master.signing.authority import newest_root, read_authority
from saltern_master.signing.home import Home
from typer.testing import CliRunner

TOUCHES = frozenset({"open", "os.rename", "os.link", "os.remove", "os.mkdir"})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = tmp_path / "home"
    assert CliRunner().invoke(app, ["init", str(made)]).exit_code == 0
    return made


def killed(step: int, home: Path, *words: str) -> bool:
    """Give the command in a child that kills itself at a step on HOME; False: it came through."""
    child = os.fork()
    if child == 0:
        steps = count()

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if event not in TOUCHES:
                return
            named = isinstance(arguments[0], int) or str(home) in str(arguments[0])
            if named and next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(hook)
        result = CliRunner().invoke(app, [*words, "--home", str(home)])
        os._exit(result.exit_code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


@pytest.mark.parametrize("role", ["root", "policy", "state", "lease", "link"])
def test_a_rotation_that_is_killed_anywhere_can_be_given_again(
    home: Path, tmp_path: Path, role: str
) -> None:
    once = {path.read_text() for path in (home / "keys").iterdir()}
    for step in count():
        tried = tmp_path / f"home-{step}"
        shutil.copytree(home, tried)
        came_through = not killed(step, tried, "key", "rotate", role)
        where = Home(tried)
        read_authority(where)
        where.link_key()
        again = CliRunner().invoke(app, ["key", "rotate", role, "--home", str(tried)])
        assert again.exit_code == 0, again.output
        done = CliRunner().invoke(app, ["policy", "--home", str(tried)])
        assert done.exit_code == 0, done.output
        authority = read_authority(where)
        assert not authority.held_back
        assert authority.root == newest_root(where)
        assert once <= {path.read_text() for path in (tried / "keys").glob("*.key")}  # none is lost
        shutil.rmtree(tried)
        if came_through:
            break
    assert step > 5
