"""Images of the node's docker, by its HTTP API over its unix socket.

* No version is put into the paths: docker then answers in its own newest one; what is
  asked here has been the same since 1.12.
* Every wait is bounded; a docker that does not answer is a HostError.
* An archive is streamed from the disk, never held in memory; before that a look at its
  headers tells that it brings one image under one name (image_archive.py).

Outside facts: Docker Engine API, /images/{name}/json, /images/load, DELETE /images/{name}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from socket import AF_UNIX, SOCK_STREAM, socket
from typing import Any, Final
from urllib.parse import quote

from saltern_states.ports import HostError

from saltern_agent.host import image_archive

SOCKET: Final = Path("/run/docker.sock")
ANSWER_SECONDS: Final = 10.0
INFO_SECONDS: Final = 3.0
LOAD_SECONDS: Final = 300.0  # between two signs of life while an archive is loaded
MAX_ANSWER: Final = 4 * 1024 * 1024


class DockerImages:
    """Images of the docker that listens on a unix socket."""

    def __init__(self, address: Path = SOCKET) -> None:
        self._address = address

    def digest(self, name: str) -> str | None:
        """Give the config digest that the name stands for."""
        doing = f"look for image {name}"
        with self._answer(doing, "GET", f"/images/{quote(name)}/json", ANSWER_SECONDS) as answer:
            if answer.status == 404:
                return None
            found = told(doing, answer).get("Id")
        if not isinstance(found, str) or not found.startswith("sha256:"):
            raise HostError(f"cannot {doing}: docker told no digest ({found!r})")
        return found

    def load(self, archive: Path) -> None:
        """Load an archive."""
        doing = f"load image archive {archive}"
        with self._answer(doing, "POST", "/images/load?quiet=1", LOAD_SECONDS, archive) as answer:
            told(doing, answer)

    def remove(self, name: str) -> None:
        """Take the name away, and the image where nothing uses it.

        Without force docker keeps the name while a container is of the image: a pod whose
        manifest went just now runs for some seconds yet. It runs on either way.
        """
        doing = f"remove image {name}"
        path = f"/images/{quote(name)}?force=1"
        with self._answer(doing, "DELETE", path, LOAD_SECONDS) as answer:
            told(doing, answer)

    @contextmanager
    def _answer(
        self, doing: str, method: str, path: str, seconds: float, archive: Path | None = None
    ) -> Iterator[HTTPResponse]:
        connection = UnixConnection(self._address, seconds)
        try:
            if archive is None:
                connection.request(method, path)
            else:
                send(connection, method, path, archive)
            yield connection.getresponse()
        except (OSError, HTTPException) as error:
            what = str(error) or type(error).__name__
            why = f"docker does not answer at {self._address} ({what}); is it running?"
            raise HostError(f"cannot {doing}: {why}") from error
        finally:
            connection.close()


def cgroup_driver(address: Path = SOCKET, seconds: float = INFO_SECONDS) -> str:
    """Ask docker how it puts containers into groups: cgroupfs, systemd. HostError: no answer."""
    connection = UnixConnection(address, seconds)
    try:
        connection.request("GET", "/info")
        return str(
            told("ask docker for its cgroup driver", connection.getresponse())["CgroupDriver"]
        )
    except (OSError, HTTPException, KeyError) as error:
        what = str(error) or type(error).__name__
        raise HostError(f"cannot ask docker at {address} for its cgroup driver: {what}") from error
    finally:
        connection.close()


class UnixConnection(HTTPConnection):
    """HTTP to a unix socket."""

    def __init__(self, address: Path, seconds: float) -> None:
        super().__init__("docker", timeout=seconds)
        self._address = address

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket(AF_UNIX, SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._address))


def send(connection: UnixConnection, method: str, path: str, archive: Path) -> None:
    """Send an image archive as the body, if it holds but one image."""
    try:
        file = archive.open("rb")
    except OSError as error:
        raise HostError(f"cannot read image archive {archive}: {error.strerror}") from error
    with file:
        image_archive.check(file, archive)
        size = file.seek(0, 2)
        file.seek(0)
        headers = {"Content-Type": "application/x-tar", "Content-Length": str(size)}
        connection.request(method, path, file, headers)


def told(doing: str, answer: HTTPResponse) -> dict[str, Any]:
    """Give an answer's last JSON object; HostError with docker's own words where it failed.

    A load answers in lines, 200 at once, and says in the last one that it failed.
    """
    text = answer.read(MAX_ANSWER).decode(errors="replace")
    found: dict[str, Any] = {}
    for line in text.splitlines() if answer.status < 300 else ():
        found = parsed(line) or found
        if "error" in found:
            raise HostError(f"cannot {doing}: docker says: {str(found['error'])[:500]}")
    if answer.status >= 300:
        why = parsed(text).get("message", text)
        raise HostError(f"cannot {doing}: docker says ({answer.status}): {str(why)[:500]}")
    return found


def parsed(text: str) -> dict[str, Any]:
    """Read one JSON object; {} where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
