"""Asking the programs of a node how they are: systemd, docker, and plain HTTP on this machine.

Every question has a deadline of ANSWER_SECONDS for each of its steps and of WHOLE_SECONDS for all
of an answer; no more than MOST_BYTES are read; nothing in here raises for what a program does.
Whoever is on the node may listen on a port whose program is gone, and give a byte now and then.

Outside facts: GET /_ping and /containers/json of the Docker Engine API; the labels and names that
dockershim and cri-dockerd give containers (k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT).
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterable, Sequence
from http.client import HTTPConnection, HTTPException, HTTPResponse
from io import BufferedReader, RawIOBase
from pathlib import Path
from time import monotonic
from typing import Any, Final
from urllib.parse import quote

import msgspec
from saltern_protocol.errors import printable
from saltern_states.ports import HostError

from saltern_agent.health.values import Answer, Container, Endpoint, Pod, UnitSeen
from saltern_agent.host.dbus import Bus, DBusError, question
from saltern_agent.host.docker import SOCKET, UnixConnection
from saltern_agent.host.systemd import SERVICE, UNIT, get, object_path

ANSWER_SECONDS: Final = 2.0
WHOLE_SECONDS: Final = 5.0
MOST_BYTES: Final = 4 * 1024 * 1024
MOST_WORDS: Final = 200  # characters of what a program says
LABELS: Final = "io.kubernetes."
RESTARTS: Final = "annotation.io.kubernetes.container.restartCount"


class _Listed(msgspec.Struct, frozen=True):
    """What is read of a container in docker's list."""

    labels: dict[str, str] = msgspec.field(name="Labels", default_factory=dict)
    state: str = msgspec.field(name="State", default="")
    created: int = msgspec.field(name="Created", default=0)


def ask_units(bus: Bus, units: Sequence[str]) -> dict[str, UnitSeen]:
    """Ask systemd for units, all in one write."""
    properties = ((UNIT, "ActiveState"), (UNIT, "SubState"), (SERVICE, "Result"))
    asked = [question(get(object_path(one), *each)) for one in units for each in properties]
    try:
        answers = iter(bus.ask(asked)) if asked else iter(())
    except HostError as error:
        return {one: UnitSeen(why=_short(str(error))) for one in units}
    return {one: _unit([next(answers) for _ in properties]) for one in units}


def _unit(answers: list[tuple[Any, ...] | DBusError]) -> UnitSeen:
    error = next((one for one in answers if isinstance(one, DBusError)), None)
    if error is not None:
        return UnitSeen(why=_short(f"systemd does not tell: {error}"))
    active, sub, result = (str(one[0][1]) for one in answers if not isinstance(one, DBusError))
    return UnitSeen(active, sub, result)


def ask_http(endpoint: Endpoint) -> Answer:
    """Ask a program on this machine how it is: 200 is well."""
    connection = HTTPConnection(endpoint.address, endpoint.port, timeout=ANSWER_SECONDS)
    return _asked(connection, endpoint.path)


def ping_docker(socket: Path = SOCKET) -> Answer:
    """Ask docker whether it is there."""
    return _asked(UnixConnection(socket, ANSWER_SECONDS), "/_ping")


def ask_containers(pods: Iterable[Pod], socket: Path = SOCKET) -> tuple[Container, ...] | str:
    """List the containers of pods; a text: why docker did not tell."""
    names = [f"^/k8s_[^_]+_{re.escape(one.name)}_{re.escape(one.namespace)}_" for one in pods]
    wanted = quote(json.dumps({"name": names}))
    connection = UnixConnection(socket, ANSWER_SECONDS)
    answer = _asked(connection, f"/containers/json?all=1&filters={wanted}", MOST_BYTES)
    if not answer.well:
        return f"docker does not list its containers: {answer.text}"
    try:
        listed = msgspec.json.decode(answer.text, type=list[_Listed])
    except msgspec.DecodeError:
        return "docker lists its containers in another form than is known"
    return tuple(map(_container, listed))


def _container(one: _Listed) -> Container:
    restarts = one.labels.get(RESTARTS, "")
    return Container(
        namespace=one.labels.get(f"{LABELS}pod.namespace", ""),
        pod=one.labels.get(f"{LABELS}pod.name", ""),
        name=one.labels.get(f"{LABELS}container.name", ""),
        running=one.state == "running",
        created=one.created,
        restarts=int(restarts) if restarts.isascii() and restarts.isdigit() else 0,
    )


def _asked(connection: HTTPConnection, path: str, most: int = MOST_WORDS) -> Answer:
    """Ask once; `most`: characters of the answer that are kept."""
    connection.response_class = _Hasty
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read(MOST_BYTES).decode(errors="replace")
        well = answer.status == 200
        return Answer(True, well, text[:most] if well else _short(f"{answer.status} {text}"))
    except (OSError, HTTPException) as error:
        what = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Answer(False, text=_short(what))
    finally:
        connection.close()


class _Within(RawIOBase):
    """What comes over a connection until a time: a socket's own timeout counts from each byte."""

    def __init__(self, connection: socket.socket, until: float) -> None:
        self._connection, self._until = connection, until
        self._raw = connection.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - whatever bytes are put into
        """Read what there is; TimeoutError."""
        left = self._until - monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self._connection.settimeout(min(left, ANSWER_SECONDS))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        """Let go of the connection."""
        self._raw.close()
        super().close()


class _Hasty(HTTPResponse):
    """An answer that has come after WHOLE_SECONDS, or never does."""

    def __init__(self, connection: socket.socket, *rest: Any, **named: Any) -> None:  # noqa: ANN401
        super().__init__(connection, *rest, **named)
        self.fp.close()
        self.fp = BufferedReader(_Within(connection, monotonic() + WHOLE_SECONDS))


def _short(text: str) -> str:
    """Give the first of what somebody said, on one line."""
    return printable(" ".join(text.split()))[:MOST_WORDS]
