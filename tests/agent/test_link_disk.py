"""The thread that has the disk for the link: an fsync that fails there ends the agent as well."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from saltern_protocol import messages
from saltern_protocol.report import Applied

from tests.agent.fake_master import DEADLINE_SECONDS, FakeMaster
from tests.agent.test_link import Joined, body
from tests.agent.test_root import DAEMON, command, made

pytestmark = pytest.mark.system  # strace


@pytest.fixture
def master() -> Iterator[FakeMaster]:
    master = FakeMaster()
    yield master
    master.close()


def own_threads(pid: int) -> list[int]:
    """Give the threads in the order in which they began, without the loop's and ZeroMQ's."""
    tasks = Path(f"/proc/{pid}/task")
    threads = sorted(int(name) for name in os.listdir(tasks))
    names = {one: (tasks / str(one) / "comm").read_text() for one in threads}
    return [one for one in threads if one != pid and not names[one].startswith("ZMQ")]


def test_an_agent_that_cannot_forget_durably_what_was_acknowledged_ends(
    tmp_path: Path, master: FakeMaster
) -> None:
    node = Joined(made(tmp_path), master)
    node.join()
    with subprocess.Popen(command(node.root, "run"), stderr=subprocess.PIPE) as agent:
        try:
            master.wait(messages.Hello)
            _, stock, _ = own_threads(agent.pid)  # the keeper, the disk, health
            inject = ("-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO")
            strace = ["/usr/bin/strace", "-q", "-o", str(tmp_path / "trace"), *inject]
            with subprocess.Popen([*strace, "-p", str(stock)], stderr=subprocess.PIPE) as tracer:
                wait_until_traced(agent.pid, stock)
                master.publish(body(DAEMON), version=1, turn=1)
                master.wait_item(Applied)  # its acknowledgement is what cannot be kept
                _, said = agent.communicate(timeout=DEADLINE_SECONDS)
                tracer.wait(DEADLINE_SECONDS)
        finally:
            agent.kill()
    assert agent.returncode == 1
    assert "cannot have the journal" in said.decode()


def wait_until_traced(pid: int, thread: int) -> None:
    status = Path(f"/proc/{pid}/task/{thread}/status")
    deadline = time.monotonic() + DEADLINE_SECONDS
    while "TracerPid:\t0\n" in status.read_text():
        assert time.monotonic() < deadline, "strace did not come"
        time.sleep(0.01)
