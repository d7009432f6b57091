"""A session of a real agent with a real master, recorded on the wire, and played again to each.

The master is core with its front, the agent is `saltern-agent run`; between them is a Tap. The
node joins, takes a document, applies it and tells; then the agent is stopped, and what it and the
master said is said again by nobody in particular.
"""

from __future__ import annotations

import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from msgspec.structs import replace
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.host.link_socket import Credentials, LinkSocket
from saltern_agent.places import Master as Place
from saltern_agent.places import Places, keep_master, read_master
from saltern_master.api.requests import NewToken
from saltern_master.signing.home import Home

from tests.agent.test_root import command
from tests.faults.wiretap import GREETING, Tap, frames
from tests.master.homes import made_home
from tests.master.test_core_process import Master, running, wait

FILE = """\
apiVersion: saltern/v1
cluster: {name: demo}
kubernetes: {version: 1.20.2}
network: {pods: 10.10.0.0/16}
nodes:
- {name: w1, address: 10.9.0.21, roles: [bare]}
resources:
- {id: motd, spec: {kind: file/1, path: /etc/docker/daemon.json, text: "{}"}}
"""
QUIET = 0.05  # seconds without a byte: there is no answer to this
SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Recorded:
    """A session on the wire, and both who had it."""

    up: bytes
    down: bytes
    home: Home
    master: Master
    root: Path
    port: int  # of the real front

    @property
    def places(self) -> Places:
        return places_of(self.root)

    def stored(self) -> str:
        """Give a digest of all that stands in the master's store."""
        return _digest(self.home.path / "store.db")

    def journalled(self) -> str:
        """Give a digest of all that stands in the node's journal."""
        return _digest(self.places.journal)

    def comings(self) -> int:
        """Say how often the master let this node in."""
        return self.master.log.read_text().count("node w1 is here")


def places_of(root: Path) -> Places:
    return Places(root / "etc/saltern", root / "var/lib/saltern", root / "run/saltern")


def _digest(path: Path) -> str:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return sha256("\n".join(db.iterdump()).encode()).hexdigest()


@contextmanager
def recorded(directory: Path) -> Iterator[Recorded]:
    """Have a whole session, and give it while its master still runs; the agent is stopped."""
    directory.chmod(0o711)
    home, root = made_home(directory), directory / "node"
    (root / "etc/docker").mkdir(parents=True)
    with running(home) as master:
        token = master.client.make_token(NewToken(node="w1", node_class="worker", seconds=60)).token
        subprocess.run(
            command(root, "join", token), check=True, capture_output=True, timeout=SECONDS
        )
        place = read_master(places_of(root))
        assert place is not None
        with Tap(place.link_port) as tap:
            point_to(root, place, tap.ports[0])
            with agent(root):
                turn = master.client.apply(FILE.encode()).turn
                wait("not applied", lambda: master.client.turn(turn).nodes[0].result == "changed")
            (line,) = tap.lines
        yield Recorded(bytes(line.up), bytes(line.down), home, master, root, place.link_port)


def point_to(root: Path, place: Place, port: int) -> None:
    """Have the agent look for its master at another port of loopback."""
    keep_master(places_of(root), replace(place, addresses=("127.0.0.1",), link_port=port))


@contextmanager
def agent(root: Path) -> Iterator[None]:
    """Run a real agent."""
    with subprocess.Popen(command(root, "run"), stderr=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, said.decode()


def play(port: int, pieces: Sequence[bytes]) -> bytes:
    """Say recorded pieces over a new connection, each once the answer to the one before is whole.

    Gives what was answered. A greeting may come in two parts: only silence ends an answer.
    """
    heard = bytearray()
    with socket.create_connection(("127.0.0.1", port), SECONDS) as line:
        line.settimeout(QUIET)
        for piece in pieces:
            try:
                line.sendall(piece)
                while came := line.recv(65536):
                    heard += came
                break
            except TimeoutError:
                continue
            except OSError:
                break
    return bytes(heard)


def pieces_of(stream: bytes) -> tuple[bytes, ...]:
    """Give the greeting, and each frame."""
    return (stream[:GREETING], *(stream[one.start : one.end] for one in frames(stream)))


class Player:
    """Plays what a master once said to whoever connects: each connection the next of its parts."""

    def __init__(self, parts: Sequence[Sequence[bytes]]) -> None:
        self.played = 0
        self._parts = parts
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Play no more."""
        self._parts = ()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listening.close()

    def _run(self) -> None:
        while True:
            try:
                line, _ = self._listening.accept()
            except OSError:
                return
            with line:
                line.settimeout(QUIET)
                for piece in self._parts[self.played % len(self._parts)]:
                    try:
                        line.sendall(piece)
                        if not line.recv(65536):
                            break
                    except TimeoutError:
                        continue
                    except OSError:
                        break
            self.played += 1


def heard_by_node(session: Recorded, place: Place, port: int) -> tuple[bytes, ...]:
    """Connect as the agent's own socket does; give the frames that it takes for its master's."""
    keys = NodeKeys.read(session.places.config)
    link = LinkSocket(Credentials(place.server, keys.link_public, keys.link))
    link.open("127.0.0.1", port)
    frames_: list[bytes] = []
    until = time.monotonic() + SECONDS
    try:
        while time.monotonic() < until:
            read = link.read(link.filenos())
            frames_ += read.frames
            if read.lost:
                break
            time.sleep(0.002)
    finally:
        link.end()
    return tuple(frames_)
