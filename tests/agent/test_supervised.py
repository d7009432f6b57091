"""What systemd hears of the loop: a sign for each third of its patience, none of a wedged one."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from saltern_agent.host.notify import notify
from saltern_agent.supervised import Supervised, seconds_allowed

from tests.agent.test_loop import CLOCKS
from tests.agent.test_root import made

ME = 42


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "42"}, 60.0),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "41"}, math.inf),
        ({"WATCHDOG_USEC": "0", "WATCHDOG_PID": "42"}, math.inf),
        ({"WATCHDOG_USEC": "soon"}, math.inf),
        ({"WATCHDOG_USEC": "-1"}, math.inf),
        ({"WATCHDOG_PID": "42"}, math.inf),
        ({}, math.inf),
    ],
    ids=["ours", "anybody's", "another's", "none", "no number", "negative", "no time", "nothing"],
)
def test_the_patience_of_systemd_is_read(environment: dict[str, str], seconds: float) -> None:
    assert seconds_allowed(environment, ME) == seconds


def test_each_third_of_it_has_one_sign_however_often_the_loop_turns() -> None:
    told: list[str] = []
    one = Supervised(told.append, 60.0)
    signs = []
    for moment in range(121):
        one.turned(float(moment))
        signs.append(len(told))
    assert set(told) == {"WATCHDOG=1"}
    assert [signs[at] for at in (0, 19, 20, 59, 60, 120)] == [1, 1, 2, 3, 4, 7]
    assert one.wait(121.0) == 19.0
    assert one.wait(200.0) == 0.0


def test_where_nobody_waits_for_signs_there_is_nothing_to_do() -> None:
    told: list[str] = []
    one = Supervised(told.append)
    one.turned(1e9)

    assert (told, one.wait(1e9)) == ([], math.inf)


def test_an_agent_says_that_it_is_ready_that_it_turns_and_that_it_ends(tmp_path: Path) -> None:
    """The whole agent, with systemd's end of the socket played."""
    root = tmp_path / "node"
    made(root)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        environment = os.environ | {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "600000",
        }
        command = [sys.executable, "-m", "saltern_agent", "--root", str(root), "run"]
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as agent:
            heard = [systemd.recv(64) for _ in range(6)]
            agent.terminate()
            while heard[-1] != b"STOPPING=1":
                heard.append(systemd.recv(64))
            assert agent.wait(30) == 0

    assert heard.count(b"READY=1") == 1
    assert heard.count(b"WATCHDOG=1") >= 5
    assert set(heard) == {b"READY=1", b"WATCHDOG=1", b"STOPPING=1"}


def test_a_wedged_loop_is_silent_and_its_threads_are_told_when_it_is_ended(tmp_path: Path) -> None:
    """SIGABRT is what systemd sends then (systemd.service(5), WatchdogSignal=)."""
    root = tmp_path / "node"
    made(root)
    command = [sys.executable, "-m", "saltern_agent", "--root", str(root), "run"]
    environment = os.environ | {"WATCHDOG_USEC": "60000000"}
    log = tmp_path / "log"
    with log.open("wb") as to, subprocess.Popen(command, env=environment, stderr=to) as agent:
        socket_path, deadline = root / "run/saltern/agent.sock", time.monotonic() + 20
        while not socket_path.exists() and time.monotonic() < deadline:
            assert agent.poll() is None, log.read_text()
            time.sleep(0.01)
        agent.send_signal(6)
        agent.wait(20)

    told = log.read_text()
    assert "Fatal Python error: Aborted" in told
    assert "loop.py" in told


def test_a_sign_that_nobody_takes_ends_nothing(tmp_path: Path) -> None:
    """systemd itself may be started anew in the moment in which it is told."""
    environment = {"NOTIFY_SOCKET": str(tmp_path / "nobody")}
    one = Supervised(lambda state: notify(environment, state), 60.0)
    one.ready()
    one.turned(CLOCKS.monotonic())
    one.ending()
