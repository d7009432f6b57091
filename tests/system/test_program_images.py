"""pause and echo as containers run them: first in a pid namespace, on a real kernel."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saltern_master.images.programs import PROGRAM_IMAGES, compile_program, make_image

pytestmark = pytest.mark.system
DEADLINE = 20.0  # seconds


def until(seen: Callable[[], bool]) -> None:
    """Wait for a condition."""
    end = time.monotonic() + DEADLINE
    while not seen():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)  # between two looks; the condition decides


def children(pid: int) -> list[int]:
    """The living and dead children of a process (proc(5))."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def first_in_a_namespace(*argv: str, given: int = subprocess.DEVNULL) -> Iterator[tuple[int, int]]:
    """Run a program as process 1; give the pids of unshare and of the program."""
    outer = subprocess.Popen(
        ["/usr/bin/unshare", "--pid", "--fork", "--kill-child", "--", *argv], stdin=given
    )
    try:
        until(lambda: len(children(outer.pid)) == 1)
        yield outer.pid, children(outer.pid)[0]
    finally:
        outer.kill()
        outer.wait()


def waits(pid: int, program: Path) -> bool:
    """Whether a process runs this program and sleeps: the one place where pause can."""
    running = Path(f"/proc/{pid}/exe").resolve() == program
    return running and Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S"


@pytest.fixture
def pause(tmp_path: Path) -> Path:
    compile_program("pause", tmp_path / "pause")
    return tmp_path / "pause"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_pause_ends_when_told(pause: Path, number: signal.Signals) -> None:
    with first_in_a_namespace(str(pause)) as (outer, inner):
        until(lambda: waits(inner, pause))
        os.kill(inner, number)
        assert os.waitpid(outer, 0)[1] == 0


def test_pause_takes_in_what_lost_its_parent(pause: Path) -> None:
    reading, writing = os.pipe()
    # fd 3, since a shell gives its background jobs another standard input
    script = 'exec 3<&0; (cat <&3 >/dev/null &); exec "$0"'
    with first_in_a_namespace("/bin/sh", "-c", script, str(pause), given=reading) as (_, inner):
        until(lambda: waits(inner, pause) and len(children(inner)) == 1)
        os.close(writing)  # the orphan reads to its end and dies
        until(lambda: children(inner) == [])
    os.close(reading)


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[int]:
    """Echo on loopback; gives its port."""
    compile_program("echo", tmp_path / "echo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    process = subprocess.Popen([tmp_path / "echo", str(port)])
    try:
        until(lambda: listens(port))
        yield port
        process.terminate()
        assert process.wait(DEADLINE) == 0
    finally:
        process.kill()
        process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(4096), b""))


def test_echo_says_who_it_is_and_who_asks(echo: int) -> None:
    head, _, body = ask(echo, b"GET /any HTTP/1.1\r\nHost: x\r\n\r\n").partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert f"Content-Length: {len(body)}".encode() in head.split(b"\r\n")
    assert body.decode().splitlines() == [
        f"hostname {os.uname().nodename}",
        "address 127.0.0.1",
        "client 127.0.0.1",
    ]


def test_echo_answers_get_only(echo: int) -> None:
    assert ask(echo, b"POST / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 405 ")


def test_a_silent_client_holds_up_nobody(echo: int) -> None:
    with socket.create_connection(("127.0.0.1", echo)):
        assert ask(echo, b"GET / HTTP/1.0\n\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("port", ["", "0", "65536", "http", "80x"])
def test_echo_refuses_what_is_no_port(tmp_path: Path, port: str) -> None:
    compile_program("echo", tmp_path / "echo")
    done = subprocess.run([tmp_path / "echo", port], capture_output=True, timeout=DEADLINE)

    assert done.returncode == 1
    assert b"cannot listen on port" in done.stderr


def test_told_to_end_it_lingers_and_answers_until_then(tmp_path: Path) -> None:
    compile_program("echo", tmp_path / "echo")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with subprocess.Popen([tmp_path / "echo", str(port), "2"]) as process:
        until(lambda: listens(port))
        process.terminate()
        assert ask(port, b"GET / HTTP/1.0\n\n").startswith(b"HTTP/1.1 200 ")
        assert process.wait(DEADLINE) == 0
    assert not listens(port)


@pytest.mark.parametrize("image", PROGRAM_IMAGES, ids=lambda image: image.program)
def test_the_same_compiler_gives_the_same_image(tmp_path: Path, image: object) -> None:
    [wanted] = [one for one in PROGRAM_IMAGES if one == image]
    first = make_image(wanted, tmp_path / "first.tar")
    second = make_image(wanted, tmp_path / "second.tar")

    assert first == second
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()


def test_ask_prints_what_echo_says(echo: int, tmp_path: Path) -> None:
    compile_program("ask", tmp_path / "ask")
    done = subprocess.run(
        [tmp_path / "ask", "127.0.0.1", str(echo)], capture_output=True, timeout=DEADLINE
    )

    assert done.returncode == 0
    assert done.stdout.decode().splitlines()[1:] == ["address 127.0.0.1", "client 127.0.0.1"]


@pytest.mark.parametrize("words", [[], ["localhost"], ["127.0.0.1", "0"], ["127.0.0.1", "80", "x"]])
def test_ask_refuses_what_is_no_address_and_port(words: list[str], tmp_path: Path) -> None:
    compile_program("ask", tmp_path / "ask")
    done = subprocess.run([tmp_path / "ask", *words], capture_output=True, timeout=DEADLINE)

    assert done.returncode == 2
    assert done.stderr == b"usage: ask ADDRESS [PORT]\n"
