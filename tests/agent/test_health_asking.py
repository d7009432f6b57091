"""Programs that answer, do not, hang, talk on, or are not there: real sockets, each asked once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import AF_INET, AF_UNIX, socket
from urllib.parse import parse_qs, urlsplit

import pytest
from saltern_agent.health.asking import (
    ANSWER_SECONDS,
    MOST_WORDS,
    WHOLE_SECONDS,
    ask_containers,
    ask_http,
    ask_units,
    ping_docker,
)
from saltern_agent.health.values import Container, Endpoint, Pod
from saltern_agent.host.dbus import Bus
from saltern_agent.host.machine import is_synchronised, keeps_clock, read_disks, read_machine

POD = Pod("kube-system", "etcd-cp1", ("etcd",))
PREFIX = "io.kubernetes."


def labels(name: str) -> dict[str, str]:
    return {
        f"{PREFIX}pod.namespace": POD.namespace,
        f"{PREFIX}pod.name": POD.name,
        f"{PREFIX}container.name": name,
        f"annotation.{PREFIX}container.restartCount": "2",
    }


@contextmanager
def answering(
    answer: bytes, listener: socket, hold: float = 0.0, part: bytes = b""
) -> Iterator[Callable[[], list[bytes]]]:
    """Answer each connection; `hold`: seconds for which it is kept open then. Gives what came.

    `part`: what is said then again and again, until nobody hears it.
    """
    asked: list[bytes] = []
    done = threading.Event()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(answer)
                done.wait(hold)
                with suppress(OSError):
                    while part and not done.wait(0.05):
                        connection.sendall(part)

    listener.listen()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield lambda: asked
    finally:
        done.set()
        listener.shutdown(2)
        listener.close()
        thread.join()


def local() -> tuple[socket, Endpoint]:
    listener = socket(AF_INET)
    listener.bind(("127.0.0.1", 0))
    return listener, Endpoint("127.0.0.1", listener.getsockname()[1], "/healthz")


def http(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


def test_a_program_that_is_well() -> None:
    listener, endpoint = local()
    with answering(http("200 OK", "ok"), listener) as asked:
        found = ask_http(endpoint)
    assert (found.heard, found.well, found.text) == (True, True, "ok")
    assert asked()[0].startswith(b"GET /healthz HTTP/1.1\r\n")


def test_a_program_that_is_not_well_is_quoted_on_one_line() -> None:
    listener, endpoint = local()
    with answering(http("500 Internal Server Error", "[-]syncloop\n\x1b[31mfailed\n"), listener):
        found = ask_http(endpoint)
    assert (found.heard, found.well) == (True, False)
    assert found.text.startswith("500 [-]syncloop ")
    assert found.text.isprintable()


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n"])
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    listener, endpoint = local()
    with answering(answer, listener):
        assert not ask_http(endpoint).heard


def test_nobody_there() -> None:
    listener, endpoint = local()
    listener.close()
    found = ask_http(endpoint)
    assert (found.heard, found.text) == (False, "Connection refused")


def test_who_hangs_is_waited_for_so_long_and_no_longer() -> None:
    listener, endpoint = local()
    began = time.monotonic()
    with answering(b"", listener, hold=ANSWER_SECONDS * 3):
        found = ask_http(endpoint)
        took = time.monotonic() - began
    assert not found.heard
    assert ANSWER_SECONDS <= took < ANSWER_SECONDS * 2


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_who_never_comes_to_an_end_is_left(head: bytes) -> None:
    listener, endpoint = local()
    began = time.monotonic()
    with answering(head, listener, part=b"x"):
        found = ask_http(endpoint)
        took = time.monotonic() - began
    assert (found.heard, found.text) == (False, "timed out")
    assert took < WHOLE_SECONDS + ANSWER_SECONDS


def test_a_long_answer_is_cut() -> None:
    listener, endpoint = local()
    with answering(http("503 Service Unavailable", "x" * 100_000), listener):
        assert len(ask_http(endpoint).text) == MOST_WORDS


def docker(path: Path) -> socket:
    listener = socket(AF_UNIX)
    listener.bind(str(path))
    return listener


def test_docker_is_asked_at_its_socket(tmp_path: Path) -> None:
    at = tmp_path / "docker.sock"
    assert not ping_docker(at).heard
    with answering(http("200 OK", "OK"), docker(at)):
        assert ping_docker(at).well


def test_containers_are_known_by_their_labels(tmp_path: Path) -> None:
    listed = [{"Labels": labels("etcd"), "State": "running", "Created": 7, "Names": ["/k8s_etcd"]}]
    at = tmp_path / "docker.sock"
    with answering(http("200 OK", json.dumps(listed)), docker(at)) as asked:
        found = ask_containers([POD], at)
    wanted = Container("kube-system", "etcd-cp1", "etcd", running=True, created=7, restarts=2)
    assert found == (wanted,)
    query = parse_qs(urlsplit(asked()[0].split()[1].decode()).query)
    assert query["all"] == ["1"]
    assert json.loads(query["filters"][0]) == {"name": ["^/k8s_[^_]+_etcd\\-cp1_kube\\-system_"]}


@pytest.mark.parametrize("body", ["[", "{}", '[{"Labels": 1}]'])
def test_a_list_in_another_form_is_said(tmp_path: Path, body: str) -> None:
    at = tmp_path / "docker.sock"
    with answering(http("200 OK", body), docker(at)):
        found = ask_containers([POD], at)
    assert isinstance(found, str)


def test_a_docker_that_is_not_there_lists_nothing(tmp_path: Path) -> None:
    found = ask_containers([POD], tmp_path / "docker.sock")
    assert found == "docker does not list its containers: No such file or directory"


def test_without_a_bus_a_unit_is_not_known(tmp_path: Path) -> None:
    found = ask_units(Bus(str(tmp_path / "bus")), ["kubelet.service"])
    assert found["kubelet.service"].why
    assert ask_units(Bus(str(tmp_path / "bus")), []) == {}


def test_the_machine_itself_is_read(tmp_path: Path) -> None:
    seen = read_machine()
    assert 0 < seen.available <= seen.memory
    assert seen.processors > 0
    assert seen.load >= 0


def test_one_file_system_is_told_once_and_also_where_a_path_is_yet_to_come(tmp_path: Path) -> None:
    (found,) = read_disks([str(tmp_path), str(tmp_path / "to/come")])
    assert found.paths == (str(tmp_path), str(tmp_path / "to/come"))
    assert 0 <= found.free <= found.size


def test_a_container_has_no_clock_of_its_own(tmp_path: Path) -> None:
    def keeps(capabilities: int, container: bool) -> bool:
        (tmp_path / "1").mkdir(exist_ok=True)
        (tmp_path / "1/status").write_text(f"Name:\tinit\nCapBnd:\t{capabilities:016x}\n")
        mark = tmp_path / "container"
        if container:
            mark.touch()
        return keeps_clock(tmp_path, mark)

    assert keeps(1 << 25, container=False)
    assert not keeps(0, container=False)
    assert not keeps(1 << 25, container=True)


def test_the_kernel_tells_of_its_clock() -> None:
    assert is_synchronised() in (True, False)
