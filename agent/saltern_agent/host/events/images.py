"""WatchImage, heard by docker's own events of images, over its unix socket.

* It is connected only while a dockerd runs (its pid file names one): docker.socket would start a
  docker that somebody stopped. A dockerd with another pid file is told of by the clock alone.
* Whatever names or takes an image touches every WatchImage: of an untag docker tells the image's
  digest and not the name.
* Where a docker ends the connection it is tried again every second, and once it answers every
  WatchImage is touched: what went by meanwhile was not heard.
* HTTP/1.0 is asked for, so that events come as plain lines. Any length is bounded.

Outside facts: Docker Engine API, /events; dockerd(8), --pidfile.
"""

from __future__ import annotations

import json
import select
import socket
from pathlib import Path
from typing import Final

from saltern_states.contract import Watch, WatchImage

from saltern_agent.host.docker import SOCKET
from saltern_agent.host.events.timer import Timer
from saltern_agent.sources import Events

PID_FILE: Final = Path("/run/docker.pid")
REQUEST: Final = (
    b"GET /events?filters=%7B%22type%22%3A%5B%22image%22%5D%7D HTTP/1.0\r\nHost: docker\r\n\r\n"
)
NAMING: Final = frozenset({"delete", "import", "load", "prune", "pull", "tag", "untag"})
RETRY_SECONDS: Final = 1.0
ANSWER_SECONDS: Final = 30.0  # a docker that starts takes connections before it answers them
LINE_BYTES: Final = 64 * 1024
READ_BYTES: Final = 64 * 1024
READS: Final = 16  # so that one source cannot hold up the loop


class ImageSource:
    """Tells when an image may have got a name, or lost one."""

    def __init__(
        self,
        address: Path = SOCKET,
        pid_file: Path = PID_FILE,
        retry_seconds: float = RETRY_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self._address, self._pid_file = address, pid_file
        self._retry_seconds, self._answer_seconds = retry_seconds, answer_seconds
        self._epoll = select.epoll()  # the descriptor stays the same from docker to docker
        self._timer = Timer()  # to the next try; while an answer is awaited, to its being late
        self._epoll.register(self._timer.fileno(), select.EPOLLIN)
        self._socket: socket.socket | None = None
        self._talk = Talk()
        self._watches: frozenset[Watch] = frozenset()
        self._trouble = ""

    def fileno(self) -> int:
        """Give the descriptor that stands for whatever docker there is."""
        return self._epoll.fileno()

    def set_watches(self, watches: frozenset[Watch]) -> None:
        """Listen to these WatchImages; docker is spoken with only where there are some."""
        self._watches = frozenset(one for one in watches if isinstance(one, WatchImage))
        if not self._watches:
            self._end("", 0)
        elif self._socket is None:
            self._connect()

    def read(self) -> Events:
        """Give the images to look at again."""
        if self._timer.is_due() and self._watches:
            if self._socket is not None:
                late = f"docker has not answered for {self._answer_seconds:g} s"
                self._end(f"cannot hear of images: {late}", self._retry_seconds)
            else:
                self._connect()
        return Events(self._watches) if self._receive() else Events()

    def trouble(self) -> str:
        """Say why a docker that runs is not heard."""
        return self._trouble

    def close(self) -> None:
        """Let go of every descriptor."""
        self._epoll.close()
        self._timer.close()
        if self._socket is not None:
            self._socket.close()

    def _connect(self) -> None:
        if not _runs(self._pid_file):
            self._end("", self._retry_seconds)  # its unit is told of by its own watch
            return
        flags = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = docker = socket.socket(socket.AF_UNIX, flags)
        self._epoll.register(docker.fileno(), select.EPOLLIN)
        try:
            docker.connect(str(self._address))
            docker.sendall(REQUEST)  # a new connection takes so few bytes at once
        except OSError as error:
            self._end(f"cannot hear of images: {error.strerror or error}", self._retry_seconds)
        else:
            self._timer.set(self._answer_seconds)

    def _receive(self) -> bool:
        """Take what has come; True: look at the images."""
        look = False
        for _ in range(READS):
            if self._socket is None:
                break
            try:
                data = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            if not data:
                self._end("", self._retry_seconds)
                break
            look = self._take(data) or look
        return look

    def _take(self, data: bytes) -> bool:
        waited = not self._talk.answered
        look = self._talk.take(data)
        if self._talk.refusal:
            self._end(f"cannot hear of images: {self._talk.refusal}", self._retry_seconds)
        elif waited and self._talk.answered:
            self._trouble = ""
            self._timer.set(0)
        return look

    def _end(self, trouble: str, retry_seconds: float) -> None:
        """Let the connection go, and try again after so many seconds; 0: not at all."""
        if self._socket is not None:
            self._epoll.unregister(self._socket.fileno())
            self._socket.close()
            self._socket = None
        self._talk = Talk()
        self._trouble = trouble
        self._timer.set(retry_seconds)


class Talk:
    """What docker says on one connection: the head of its answer, then events, a line each."""

    def __init__(self) -> None:
        self.answered = False
        self.refusal = ""
        self._incoming = bytearray()
        self._too_long = False  # the line in hand is: its end says that something happened

    def take(self, data: bytes) -> bool:
        """Take some bytes. True: look at the images, also when it has just begun to be heard."""
        if self.refusal:
            return False
        self._incoming += data
        begins = not self.answered and self._take_head()
        return (self.answered and self._take_lines()) or begins

    def _take_head(self) -> bool:
        head, ended, rest = bytes(self._incoming).partition(b"\r\n\r\n")
        if not ended and len(head) <= LINE_BYTES:
            return False
        status = head.split(b"\r\n", 1)[0].split(b" ")
        if not ended or status[1:2] != [b"200"]:
            said = b" ".join(status[1:])[:100].decode("ascii", "backslashreplace")
            self.refusal = f"docker says {said!r}"
            return False
        self.answered = True
        self._incoming[:] = rest
        return True

    def _take_lines(self) -> bool:
        look = False
        *lines, rest = bytes(self._incoming).split(b"\n")
        for line in lines:
            look = look or self._too_long or _names(line)
            self._too_long = False
        if len(rest) > LINE_BYTES:
            self._too_long, rest = True, b""
        self._incoming[:] = rest
        return look


def _names(line: bytes) -> bool:
    """Say whether an event may have given or taken a name; what cannot be read may have."""
    try:
        event = json.loads(line) if line.strip() else {"Action": "save"}
        return str(event["Action"]) in NAMING
    except (ValueError, LookupError, TypeError):
        return True


def _runs(pid_file: Path) -> bool:
    """Say whether the process that the file names is a dockerd."""
    try:
        number = int(pid_file.read_text())
        return Path(f"/proc/{number}/comm").read_text().strip() == "dockerd"
    except (OSError, ValueError):
        return False
