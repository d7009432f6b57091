"""The laws of Ssh, on the fake. tests/system/test_ssh.py runs them on an sshd."""

from __future__ import annotations

import pytest
from saltern_master.joining.ssh import Ssh
from saltern_master.testing.ssh import FakeMachine, FakeSsh

from tests.contracts.ssh_laws import *  # noqa: F403  # each of its tests is one of ours


class FakeGround:
    """In memory."""

    host, stranger, address, port, shut = "root@w1", "root@w1-other", "10.9.0.1", 6555, 6556

    def __init__(self) -> None:
        unknown = "Host key verification failed."
        self.machines = {
            self.host: FakeMachine(open=frozenset({f"{self.address}/{self.port}"})),
            self.stranger: FakeMachine(trouble=unknown),
            "hanging": FakeMachine(hangs=True),
        }

    @property
    def ssh(self) -> Ssh:
        return FakeSsh(self.machines)

    def leavings(self) -> list[str]:
        return []


@pytest.fixture
def ground() -> FakeGround:
    return FakeGround()


@pytest.fixture
def hanging() -> str:
    return "hanging"
