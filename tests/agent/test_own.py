"""The agent relies on its own things only where they are its own; it says all that is wrong."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.host.own import MAX_OWN, read_own
from saltern_agent.places import Places, SettingsError, pin, read_identity, refuse_shared
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity

IDENTITY = encode_identity(testing.IDENTITY)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    made = Places(tmp_path / "config", tmp_path / "state", tmp_path / "run", tmp_path / "root")
    for directory, mode in ((made.config, 0o755), (made.state, 0o700), (made.run, 0o755)):
        directory.mkdir(mode=mode)
    (tmp_path / "root").mkdir()
    NodeKeys.make(made.config, secrets.token_bytes)
    pin(made, IDENTITY)
    for path in (made.journal, made.state / "lock"):
        path.touch(0o600)
    made.blobs.mkdir(mode=0o700)
    return made


def command(places: Places, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = [f"--{name}={getattr(places, name)}" for name in ("root", "config", "state", "run")]
    argv = [sys.executable, "-m", "saltern_agent", *options, *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=30)


def test_what_the_agent_makes_is_well(places: Places) -> None:
    refuse_shared(places)


def test_an_older_agents_journal_is_taken(places: Places) -> None:
    places.journal.chmod(0o644)
    refuse_shared(places)


def test_what_is_not_there_yet_is_well(tmp_path: Path) -> None:
    refuse_shared(Places(tmp_path / "config", tmp_path / "state", tmp_path / "run"))


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda p: (p.config / "link.key").chmod(0o644), "link.key: others can read it"),
        (lambda p: (p.config / "sealing.key").chmod(0o640), "join with a new token"),
        (lambda p: p.config.chmod(0o775), "config: others can write it"),
        (lambda p: p.identity.chmod(0o666), "identity: others can write it"),
        (lambda p: p.state.chmod(0o755), "state: others can read and enter it"),
        (lambda p: p.state.chmod(0o703), "state: others can write and enter it"),
        (lambda p: p.journal.chmod(0o660), "journal.db: others can write it"),
        (lambda p: p.blobs.chmod(0o750), "blobs: others can read and enter it"),
        (lambda p: p.run.chmod(0o777), "run: others can write it"),
        (lambda p: p.config.parent.chmod(0o777), "anybody can put another directory below it"),
        (lambda p: os.replace(_pipe(p), p.journal), "journal.db: it is a pipe"),
        (lambda p: os.replace(_link(p), p.identity), "identity: it is a symlink"),
    ],
)
def test_it_does_not_start(places: Places, harm: Callable[[Places], object], told: str) -> None:
    harm(places)
    with pytest.raises(SettingsError, match=r"cannot work on this node") as caught:
        refuse_shared(places)
    assert told in str(caught.value)


def test_all_that_is_wrong_is_told_at_once(places: Places) -> None:
    (places.config / "link.key").chmod(0o644)
    places.state.chmod(0o777)
    done = command(places, "run")
    assert done.returncode == 1
    assert "link.key: others can read it" in done.stderr
    assert "state: others can read and write" in done.stderr


def test_a_directory_by_another_name_is_one(places: Places, tmp_path: Path) -> None:
    """An administrator may have put the state on another disk."""
    elsewhere = tmp_path / "disk"
    places.state.rename(elsewhere)
    places.state.symlink_to(elsewhere)
    refuse_shared(places)
    elsewhere.chmod(0o755)
    with pytest.raises(SettingsError, match="others can read and enter it"):
        refuse_shared(places)


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir])
def test_what_is_no_file_is_not_read_and_not_waited_for(
    places: Places, make: Callable[[Path], None]
) -> None:
    places.identity.unlink()
    make(places.identity)
    with pytest.raises(SettingsError, match="cannot read"):
        read_identity(places)


def test_no_more_is_read_than_anything_of_ours_is_long(tmp_path: Path) -> None:
    (tmp_path / "long").write_bytes(b"x" * (MAX_OWN + 1))
    with pytest.raises(OSError, match="larger"):
        read_own(tmp_path / "long")


def test_whoever_starts_it_what_it_makes_is_its_own(places: Places) -> None:
    before = os.umask(0)
    try:
        for path in (places.journal, places.state / "lock"):
            path.unlink()
        told = command(places, "plan")
    finally:
        os.umask(before)
    assert "no document" in told.stderr + told.stdout or places.journal.exists()
    made = [path for path in places.state.rglob("*") if path.is_file()]
    assert made
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def _pipe(places: Places) -> Path:
    os.mkfifo(places.state / "pipe")
    return places.state / "pipe"


def _link(places: Places) -> Path:
    (places.config / "other").symlink_to("link.key")
    return places.config / "other"
