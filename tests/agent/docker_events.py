"""A docker that tells of images: a socket that answers /events as dockerd does, and a pid file.

What it says is byte for byte what docker 20.10.24 said to the same request; its "dockerd" is a
real process of that name, since the source looks whether one runs.
"""

from __future__ import annotations

import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.agent.waiting import DEADLINE_SECONDS

HEAD = (
    b"HTTP/1.0 200 OK\r\nApi-Version: 1.41\r\nContent-Type: application/json\r\n"
    b"Docker-Experimental: false\r\nOstype: linux\r\n\r\n"
)
UNTAG = (
    b'{"status":"untag","id":"sha256:4b","Type":"image","Action":"untag","Actor":{"ID":'
    b'"sha256:4b","Attributes":{"name":"sha256:4b"}},"scope":"local","time":1,"timeNano":1}\n'
)
SAVE = UNTAG.replace(b"untag", b"save")


class TellingDocker:
    """Runs until it is stopped; start() brings it back at the same address."""

    def __init__(self, folder: Path) -> None:
        self.address, self.pid_file = folder / "docker.sock", folder / "docker.pid"
        self._program = folder / "dockerd"
        shutil.copyfile("/bin/sleep", self._program)
        self._program.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: socket.socket | None = None
        self._client: socket.socket | None = None

    def start(self) -> None:
        """Listen, then write the pid file, as a docker that its socket has started does."""
        self.address.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.address))
        self._listener.listen()
        self._listener.settimeout(DEADLINE_SECONDS)
        self._process = subprocess.Popen([str(self._program), "600"])
        self._wait_for_its_name()
        self.pid_file.write_text(str(self._process.pid))

    def answer(self, head: bytes = HEAD) -> bytes:
        """Take the connection and its request, and answer; gives the request."""
        assert self._listener is not None
        if self._client is not None:
            self._client.close()
        self._client, _ = self._listener.accept()
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._client.recv(4096)
        self.say(head)
        return request

    def waits(self, seconds: float = 0) -> bool:
        """Say whether somebody connects within so many seconds."""
        assert self._listener is not None
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def say(self, data: bytes) -> None:
        """Tell something."""
        assert self._client is not None
        self._client.sendall(data)

    def hang_up(self) -> None:
        """Let the connection go."""
        assert self._client is not None
        self._client.close()

    def stop(self) -> None:
        """End: its connections with it; its pid file stays, as after a kill."""
        for one in (self._client, self._listener):
            if one is not None:
                one.close()
        self._client = self._listener = None
        if self._process is not None:
            self._process.kill()
            self._process.wait(DEADLINE_SECONDS)
        self._process = None

    def _wait_for_its_name(self) -> None:
        assert self._process is not None
        comm = Path(f"/proc/{self._process.pid}/comm")
        deadline = time.monotonic() + DEADLINE_SECONDS
        while comm.read_text().strip() != "dockerd":
            assert time.monotonic() < deadline
