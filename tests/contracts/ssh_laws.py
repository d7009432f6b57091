"""What every Ssh keeps: run on the fake (test_ssh.py), on an sshd of this machine (tests/system)
and, with installing and joining, on a booted node (tests/packages).

A ground is a machine that ssh reaches, which is no node, and a second way to look at it.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import pytest
from msgspec.structs import replace
from saltern_master.joining import refusals, scripts
from saltern_master.joining.looking import read_seen
from saltern_master.joining.ssh import Ssh, SshError
from saltern_protocol.token import JoinToken

from tests.agent.test_join import TOKEN

SECONDS = 60.0


class Ground(Protocol):
    """A machine, and the ways to it."""

    @property
    def ssh(self) -> Ssh:
        """Under test."""
        ...

    @property
    def host(self) -> str:
        """The machine, where ssh gets in as root."""
        ...

    @property
    def stranger(self) -> str:
        """The same machine, under a name whose host key nobody knows."""
        ...

    @property
    def address(self) -> str:
        """Where something listens that is reached from there, at `port`; at `shut` nothing."""
        ...

    @property
    def port(self) -> int: ...

    @property
    def shut(self) -> int: ...

    def leavings(self) -> list[str]:
        """Give what lies in /var/tmp there that an installation made."""
        ...


def token(ground: Ground, link: int, door: int) -> JoinToken:
    return replace(TOKEN, addresses=(ground.address,), link_port=link, door_port=door)


def test_a_look_tells_what_the_machine_is(ground: Ground) -> None:
    said = ground.ssh.run(ground.host, scripts.SHELL, scripts.LOOK.encode(), SECONDS)

    assert said.status == 0, said.err
    seen = read_seen(said.out)
    assert (seen.system.kernel, seen.system.id, seen.rise) == ("Linux", "debian", "root")
    assert re.match(r"1[23]\Z", seen.system.release)
    assert seen.system.machine in ("x86_64", "aarch64")
    assert seen.system.pythons
    assert (seen.identity, seen.damaged, seen.installed, seen.running) == (None, False, "", False)


def test_what_answers_is_told_from_what_does_not(ground: Ground) -> None:
    both, one = token(ground, ground.port, ground.port), token(ground, ground.port, ground.shut)
    said = [
        ground.ssh.run(ground.host, scripts.SHELL, scripts.reach(each).encode(), SECONDS)
        for each in (both, one)
    ]

    assert [each.status for each in said] == [0, 0]
    assert scripts.is_shut(said[0].out, both) == ()
    assert scripts.is_shut(said[1].out, one) == (f"{ground.address} port {ground.shut}",)


@pytest.mark.parametrize("size", [0, 100, 3_000_000])
def test_what_comes_there_damaged_is_not_installed_and_leaves_nothing(
    ground: Ground, tmp_path: Path, size: int
) -> None:
    file = tmp_path / "saltern-agent.deb"
    file.write_bytes(b"x" * size)
    command = scripts.install("deb", sha256(b"another").hexdigest(), "root")

    assert ground.ssh.run(ground.host, command, file, SECONDS).status == scripts.DAMAGED
    assert ground.leavings() == []


def test_what_is_no_package_is_refused_and_leaves_nothing(ground: Ground, tmp_path: Path) -> None:
    file = tmp_path / "saltern-agent.deb"
    file.write_bytes(b"no archive\n" * 1000)
    command = scripts.install("deb", sha256(file.read_bytes()).hexdigest(), "root")
    said = ground.ssh.run(ground.host, command, file, SECONDS)

    assert said.status == scripts.REFUSED, said
    assert refusals.not_installed(said.err, file.name)
    assert ground.leavings() == []


def test_an_agent_that_is_not_there_neither_joins_nor_starts(ground: Ground) -> None:
    joins = ground.ssh.run(ground.host, scripts.join("root", 1), b"saltern1-x\n", SECONDS)
    starts = ground.ssh.run(
        ground.host, scripts.script_as_root("root"), scripts.START.encode(), SECONDS
    )

    assert joins.status not in (0, refusals.UNREACHED)
    assert starts.status not in (0, refusals.UNREACHED)


def test_a_machine_that_nobody_knows_is_not_reached(ground: Ground) -> None:
    host = "no-such-machine.invalid"
    said = ground.ssh.run(host, scripts.SHELL, b"", SECONDS)

    assert said.status == refusals.UNREACHED
    assert "nobody knows that name" in refusals.not_begun(said.err, host)


def test_a_host_key_that_nobody_knows_is_not_believed(ground: Ground) -> None:
    said = ground.ssh.run(ground.stranger, scripts.SHELL, b"", SECONDS)

    assert said.status == refusals.UNREACHED
    assert "does not know its host key" in refusals.not_begun(said.err, ground.stranger)


def test_who_comes_to_no_end_is_left(ground: Ground, hanging: str) -> None:
    with pytest.raises(SshError, match="no end within"):
        ground.ssh.run(hanging, "exec sleep 20", b"", 1.5)
