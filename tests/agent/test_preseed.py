"""A token that waits in its file: used once, whatever cut it off, and kept where it was refused."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.places import pin, read_identity, read_master
from saltern_agent.preseed import TOKEN as FILE
from saltern_protocol import testing
from saltern_protocol.documents import encode_identity
from saltern_protocol.messages import Enrol, Message, Refused
from saltern_protocol.token import JoinToken

from tests.agent.fake_door import fake_door
from tests.agent.test_join import ENROLLED, Machine, granting, token_for

REFUSED = 3
GONE = replace(testing.IDENTITY, node="w9")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def preseed(machine: Machine, token: JoinToken, mode: int = 0o600) -> Path:
    config = machine.places.config
    config.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = config / FILE
    path.write_text(f"{token.text()}\n")
    path.chmod(mode)
    return path


def boot(machine: Machine) -> subprocess.CompletedProcess[str]:
    """Do what the unit does."""
    command = [sys.executable, "-m", "saltern_agent", "--root", str(machine.root)]
    return subprocess.run(
        [*command, "join-preseeded", "--wait", "1"], capture_output=True, text=True, timeout=50
    )


def test_a_machine_becomes_the_node_and_the_token_is_gone(machine: Machine) -> None:
    with fake_door(granting) as door:
        path = preseed(machine, token_for(door.port))
        done = boot(machine)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1:] == [
        "this is now node w1 of cluster demo, as worker",
        f"{path} was used, and is removed",
    ]
    assert read_identity(machine.places) == testing.IDENTITY
    assert read_master(machine.places) is not None
    assert not path.exists()


def test_cut_off_before_it_was_removed_the_next_boot_removes_it_and_asks_nobody(
    machine: Machine,
) -> None:
    with fake_door(granting) as door:
        token = token_for(door.port)
        preseed(machine, token)
        boot(machine)
        path = preseed(machine, token)
        again = boot(machine)

    assert again.returncode == 0, again.stderr
    assert "is the node already" in again.stdout
    assert len(door.knocks) == 1
    assert not path.exists()


def test_cut_off_before_the_identity_stood_the_next_boot_joins_by_the_same_key(
    machine: Machine,
) -> None:
    with fake_door(granting) as door:
        token = token_for(door.port)
        preseed(machine, token)
        boot(machine)
        machine.places.identity.unlink()
        preseed(machine, token)
        done = boot(machine)

    assert done.returncode == 0, done.stderr
    assert len({key for key, _ in door.knocks}) == 1
    assert read_identity(machine.places) == testing.IDENTITY


def test_where_nobody_answers_it_is_to_be_tried_again_and_the_token_stays(
    machine: Machine,
) -> None:
    with fake_door(granting) as door:
        port = door.port
    path = preseed(machine, token_for(port))
    done = boot(machine)

    assert done.returncode == 1
    assert f"nothing answers at 127.0.0.1:{port}" in done.stderr
    assert path.exists()


def mistyped(path: Path) -> None:
    path.write_text(path.read_text()[:-5])


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path, 0o600)


def symlink(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def huge(path: Path) -> None:
    path.write_text("x" * (1 << 20) + "\n")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (mistyped, "mistyped or cut"),
        (pipe, "no regular file"),
        (symlink, "symlink"),
        (huge, "larger than"),
        (Path.unlink, "there is no token in"),
    ],
)
def test_what_is_no_token_is_told_and_not_tried_again(
    machine: Machine, spoil: Callable[[Path], None], told: str
) -> None:
    with fake_door(granting) as door:
        spoil(preseed(machine, token_for(door.port)))
        done = boot(machine)

    assert done.returncode == REFUSED
    assert told in done.stderr
    assert door.knocks == []


def test_a_token_that_the_master_refuses_stays_and_is_not_tried_again(machine: Machine) -> None:
    def refusing(_key: bytes, _enrol: Enrol) -> Message:
        return Refused(reason="token", why="this token was used")

    with fake_door(refusing) as door:
        path = preseed(machine, token_for(door.port))
        done = boot(machine)

    assert done.returncode == REFUSED
    assert "this token was used" in done.stderr
    assert path.exists()
    assert not machine.places.identity.exists()


def test_an_image_of_a_machine_that_is_a_node_asks_nobody(machine: Machine) -> None:
    pin(machine.places, encode_identity(GONE))
    with fake_door(granting) as door:
        path = preseed(machine, token_for(door.port))
        done = boot(machine)

    assert done.returncode == REFUSED
    assert 'this machine is node "w9" of "demo" already' in done.stderr
    assert door.knocks == []
    assert path.exists()
    assert read_identity(machine.places) == GONE


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_token_that_others_could_read_is_used_and_that_is_told(
    machine: Machine, mode: int
) -> None:
    with fake_door(granting) as door:
        path = preseed(machine, token_for(door.port), mode)
        done = boot(machine)

    assert done.returncode == 0, done.stderr
    assert f"others could read {path}" in done.stderr
    assert not path.exists()


def test_the_token_is_not_shown(machine: Machine) -> None:
    with fake_door(lambda *_: ENROLLED) as door:
        token = token_for(door.port)
        preseed(machine, token, 0o644)
        done = boot(machine)

    keys = NodeKeys.read(machine.places.config)
    shown = done.stdout + done.stderr
    for secret in (token.text(), token.secret.hex(), keys.link.hex(), keys.sealing.hex()):
        assert secret not in shown
