"""What systemd hears of core: ready when its front listens, a sign for a third of its patience."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from saltern_master.core.supervised import Supervised, seconds_allowed
from saltern_master.signing.home import Home

from tests.master.homes import made_home
from tests.master.test_core_process import RUN, listens, wait

ME = 42


@pytest.fixture
def home(tmp_path: Path) -> Home:
    tmp_path.chmod(0o711)
    return made_home(tmp_path)


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "42"}, 60.0),
        ({"WATCHDOG_USEC": "1500000"}, 1.5),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "41"}, math.inf),
        ({"WATCHDOG_USEC": "0"}, math.inf),
        ({"WATCHDOG_USEC": "soon"}, math.inf),
        ({}, math.inf),
    ],
    ids=["ours", "anybody's", "another's", "none", "no number", "nothing"],
)
def test_the_patience_of_systemd_is_read(environment: dict[str, str], seconds: float) -> None:
    assert seconds_allowed(environment, ME) == seconds


def test_where_nobody_listens_nothing_is_told_and_nothing_fails(tmp_path: Path) -> None:
    for environment in ({}, {"NOTIFY_SOCKET": str(tmp_path / "nobody")}):
        one = Supervised(environment, ME)
        one.ready()
        one.ending()
        asyncio.run(one.turn())
        assert not one.is_watched


def run(home: Home, told: Path, log: Path) -> subprocess.Popen[bytes]:
    environment = os.environ | {"NOTIFY_SOCKET": str(told), "WATCHDOG_USEC": "600000"}
    command = [sys.executable, "-c", RUN, str(home.path), "0", "0"]
    with log.open("wb") as to:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=to, stderr=to
        )


def test_core_says_that_it_is_ready_that_it_turns_and_that_it_ends(
    home: Home, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(20)
        core = run(home, tmp_path / "notify", log)
        try:
            heard = [systemd.recv(64)]
            while heard.count(b"WATCHDOG=1") < 5 or b"READY=1" not in heard:
                heard.append(systemd.recv(64))
            before = log.read_text()
            core.terminate()
            while heard[-1] != b"STOPPING=1":
                heard.append(systemd.recv(64))
            assert core.wait(20) == 0
        finally:
            core.kill()
            core.wait()

    assert heard.count(b"READY=1") == 1
    assert set(heard) == {b"READY=1", b"WATCHDOG=1", b"STOPPING=1"}
    assert "ready: listens on" in before


def test_a_stopped_core_is_silent_and_tells_where_it_was_when_it_is_ended(
    home: Home, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    core = run(home, tmp_path / "nobody", log)
    try:
        wait("no API", lambda: listens(home.path / "run" / "api.sock"))
        core.send_signal(signal.SIGABRT)
        assert core.wait(20) == -signal.SIGABRT
    finally:
        core.kill()
        core.wait()

    told, deadline = "", time.monotonic() + 20
    while "asyncio" not in told and time.monotonic() < deadline:
        told = log.read_text()
    assert "Fatal Python error: Aborted" in told
