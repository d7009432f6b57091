"""The laws of Ssh, with OpenSSH's own client and server on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_master.joining import refusals, scripts
from saltern_master.joining.ssh import OpenSsh, SshError

from tests.contracts.ssh_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.contracts.ssh_laws import SECONDS
from tests.system.sshd import Sshd, free_port, sshd

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]


class SshdGround:
    """This machine, by way of its sshd."""

    address = "127.0.0.1"

    def __init__(self, one: Sshd) -> None:
        self.ssh: OpenSsh = one.ssh
        self.host, self.stranger, self.port, self.shut = (
            one.host,
            one.stranger,
            one.port,
            free_port(),
        )

    def leavings(self) -> list[str]:
        return [str(one) for one in Path("/var/tmp").glob("saltern-add.*")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd(tmp_path_factory.mktemp("sshd")) as one:
        yield one


@pytest.fixture
def ground(server: Sshd) -> SshdGround:
    return SshdGround(server)


@pytest.fixture
def hanging(server: Sshd) -> str:
    return server.host


def test_what_is_given_comes_whole_and_nothing_else(server: Sshd, tmp_path: Path) -> None:
    given = os.urandom(1_000_003)
    file = tmp_path / "given"
    file.write_bytes(given)
    command = "exec sha256sum"
    said = [server.ssh.run(server.host, command, one, SECONDS) for one in (given, file, b"")]

    assert [one.status for one in said] == [0, 0, 0]
    assert said[0].out == said[1].out != said[2].out


def test_what_is_no_option_here_is_none_there(server: Sshd) -> None:
    said = server.ssh.run("-oProxyCommand=touch /tmp/never", scripts.SHELL, b"", SECONDS)

    assert said.status == refusals.UNREACHED
    assert not Path("/tmp/never").exists()


def test_who_has_no_key_is_told_what_to_do(server: Sshd, tmp_path: Path) -> None:
    client = tmp_path / "client"
    client.write_text((server.folder / "client").read_text().replace("/user\n", "/nobody\n"))
    said = OpenSsh(("-F", str(client), "-oIdentityAgent=none")).run(
        server.host, scripts.SHELL, b"", SECONDS
    )

    assert said.status == refusals.UNREACHED
    assert "ssh-copy-id here" in refusals.not_begun(said.err, server.host)


def test_where_nothing_listens_is_told(server: Sshd, tmp_path: Path) -> None:
    client = tmp_path / "client"
    text = (server.folder / "client").read_text()
    client.write_text(text.replace(f"Port {server.port}", f"Port {free_port()}"))
    said = OpenSsh(("-F", str(client))).run(server.host, scripts.SHELL, b"", SECONDS)

    assert "no ssh server answers" in refusals.not_begun(said.err, server.host)


def test_the_status_of_a_command_is_its_own(server: Sshd) -> None:
    said = server.ssh.run(server.host, scripts.SHELL, b"echo one; echo two >&2; exit 7", SECONDS)

    assert (said.status, said.out, said.err) == (7, "one\n", "two\n")


@pytest.mark.parametrize("command", ["exec yes", "exec yes >&2"])
def test_a_machine_that_talks_without_end_is_not_listened_to(server: Sshd, command: str) -> None:
    with pytest.raises(SshError, match="more than"):
        server.ssh.run(server.host, command, b"", SECONDS)


def test_a_machine_that_talks_till_its_time_is_up_is_left(server: Sshd) -> None:
    slow = "while :; do echo still; sleep 0.2; done"
    with pytest.raises(SshError, match="no end within"):
        server.ssh.run(server.host, slow, b"", 2)
