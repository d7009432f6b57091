"""The whole master as a process: core, the real front, the API, and nodes over CURVE."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
import zmq
from saltern_master.api.client import Client
from saltern_master.api.requests import NewToken
from saltern_master.signing.home import Home, link_public
from saltern_protocol import messages
from saltern_protocol.documents import decode_document, decode_identity
from saltern_protocol.envelope import decode
from saltern_protocol.keys import fingerprint
from saltern_protocol.messages import (
    BlobAsk,
    BlobPart,
    Doc,
    Enrolled,
    Fetch,
    Hello,
    Lease,
    Message,
    Poke,
    Report,
)
from saltern_protocol.token import JoinToken

from tests.master.clusters import SMALL
from tests.master.core_stand import FACTS, KIND_NAMES, Node, enrol_of
from tests.master.front_stand import Keys, Lines, dial, many_lines, new_keys
from tests.master.front_stand import Node as Dialled
from tests.master.homes import made_home

RUN = (
    "import sys; from pathlib import Path; from saltern_master.core.run import run_core; "
    "run_core(Path(sys.argv[1]), listen='127.0.0.1', link_port=int(sys.argv[2]), "
    "door_port=int(sys.argv[3]), advertise='127.0.0.1')"
)
SECONDS = 20.0
M = TypeVar("M", bound=Message)


@dataclass(slots=True)
class Master:
    """A master process."""

    process: subprocess.Popen[bytes]
    client: Client
    log: Path

    @property
    def front(self) -> int:
        """The process id of its front."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return int(children.split()[0])


@dataclass(slots=True)
class Joined:
    """A node that joined, and where its master is."""

    token: JoinToken
    keys: Keys
    incarnation: str
    lines: Lines

    def connect(self, held: int = 0) -> Dialled:
        """Connect until a Hello is answered by a Lease: the front may have just begun."""
        until = time.monotonic() + SECONDS
        while True:
            one = dial(self.lines, self.keys, self.token.server, self.token.link_port)
            one.say(hello(self.incarnation, held))
            if one.socket.poll(500) and isinstance(messages.from_master(one.socket.recv()), Lease):
                return one
            one.close()
            assert time.monotonic() < until, "no lease"


def hello(incarnation: str, held: int) -> Hello:
    node = Node("", b"", incarnation, None, held)  # type: ignore[arg-type]
    return node.hello(kinds=KIND_NAMES, facts=FACTS)


def hear(node: Dialled, kind: type[M]) -> M:
    while True:
        message = node.hear()
        if isinstance(message, kind):
            return message


def wait(what: str, condition: Callable[[], bool]) -> None:
    until = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def listens(path: Path) -> bool:
    """Tell whether somebody takes connections there: a socket is seen before it listens."""
    with socket.socket(socket.AF_UNIX) as asking:
        return asking.connect_ex(str(path)) == 0


@contextmanager
def running(home: Home, ports: tuple[int, int] = (0, 0)) -> Iterator[Master]:
    log = home.path / "log"
    with log.open("ab") as said:
        command = [sys.executable, "-c", RUN, str(home.path), *map(str, ports)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
    master = Master(process, Client(home.path / "run" / "api.sock"), log)
    try:
        wait("no API", lambda: listens(home.path / "run" / "api.sock"))
        yield master
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)


def joined(master: Master, lines: Lines, name: str = "w1") -> Joined:
    made = master.client.make_token(NewToken(node=name, node_class="worker", seconds=60))
    token, keys = JoinToken.parse(made.token), new_keys()
    door = dial(lines, keys, token.server, token.door_port)
    door.say(enrol_of(token))
    answer = door.hear_door()
    door.close()
    assert isinstance(answer, Enrolled)
    return Joined(token, keys, decode_identity(answer.identity).incarnation, lines)


def took(node: Dialled, seq: int = 1) -> Doc:
    """Fetch a document and its body, and tell that it changed something."""
    node.say(Fetch())
    doc = hear(node, Doc)
    node.say(BlobAsk(blob=doc.body, offset=0, credit=4))
    assert hear(node, BlobPart).size > 0
    version = decode_document(decode(doc.document).payload).version
    applied = Node("", b"", "", None, version).applied(doc.turn, "changed")  # type: ignore[arg-type]
    node.say(Report(first=seq, items=(applied,)))
    hear(node, messages.Ack)
    return doc


@pytest.fixture
def home(tmp_path: Path) -> Home:
    tmp_path.chmod(0o711)
    return made_home(tmp_path)


def results(master: Master, turn: int) -> dict[str, str]:
    return {one.node: one.result for one in master.client.turn(turn).nodes}


def test_a_node_joins_takes_its_document_and_tells(home: Home) -> None:
    with running(home) as master, many_lines() as lines:
        node = joined(master, lines).connect()
        turn = master.client.apply(SMALL.encode())
        hear(node, Poke)
        took(node)

        assert results(master, turn.turn) == {"w1": "changed"}
        assert master.client.node("w1").connected


def test_it_says_where_it_listens_and_who_comes(home: Home) -> None:
    key = fingerprint(link_public(home.link_key()))
    with running(home) as master, many_lines() as lines:
        who = joined(master, lines)
        node = who.connect()
        wait("not told", lambda: "node w1 is here" in master.log.read_text())
        node.close()
        said = master.log.read_text().splitlines()

    ports = f"{who.token.link_port} (link) and {who.token.door_port} (door)"
    assert said[:2] == [
        f"ready: listens on 127.0.0.1 ports {ports}; tokens say 127.0.0.1",
        f"ready: the API is on {home.path}/run/api.sock; its key has the fingerprint {key}",
    ]
    assert "node w1 is here" in said[2:]


def test_a_front_that_is_killed_is_back_in_two_seconds_and_knows_its_peers(home: Home) -> None:
    with running(home) as master, many_lines() as lines:
        who = joined(master, lines)
        node = who.connect()
        before = master.front
        os.kill(before, signal.SIGKILL)
        began = time.monotonic()
        wait("no other front", lambda: other(master, before))
        wait("still connected", lambda: not master.client.node("w1").connected)
        again = master.client.make_token(NewToken(node="w2", node_class="worker", seconds=60))
        assert time.monotonic() - began < 2
        node.close()
        who.token = JoinToken.parse(again.token)  # other ports: 0 was asked for
        who.connect()

        assert master.client.node("w1").connected


def other(master: Master, before: int) -> bool:
    try:
        return master.front != before
    except (IndexError, OSError):
        return False


def test_a_master_that_is_killed_goes_on_with_its_turn(home: Home) -> None:
    with running(home) as master, many_lines() as lines:
        who = joined(master, lines)
        node = who.connect()
        turn = master.client.apply(SMALL.encode())
        hear(node, Poke)
        master.process.kill()
        master.process.wait(SECONDS)
        (home.path / "run" / "api.sock").unlink()
        ports = (who.token.link_port, who.token.door_port)
        with running(home, ports) as again:
            back = who.connect()
            hear(back, Poke)
            took(back)

            assert results(again, turn.turn) == {"w1": "changed"}


def test_a_master_ends_in_good_order(home: Home) -> None:
    with running(home) as master:
        master.client.status()
        front = master.front
        master.process.send_signal(signal.SIGTERM)

        assert master.process.wait(SECONDS) == 0
        wait("the front lives on", lambda: not Path(f"/proc/{front}").exists())
        assert not (home.path / "run" / "api.sock").exists()


def test_there_is_one_master_on_a_home(home: Home) -> None:
    with running(home):
        command = [sys.executable, "-c", RUN, str(home.path), "0", "0"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)

    assert "another one does" in done.stderr
    assert done.returncode != 0


def test_a_stranger_gets_no_word(home: Home) -> None:
    with running(home) as master, many_lines() as lines:
        who = joined(master, lines)
        stranger = dial(lines, new_keys(), who.token.server, who.token.link_port)
        stranger.say(hello(who.incarnation, 0))

        assert stranger.event() == zmq.EVENT_HANDSHAKE_FAILED_AUTH
        master.client.revoke("w1")

        def refused() -> bool:
            revoked = dial(lines, who.keys, who.token.server, who.token.link_port)
            return revoked.event() == zmq.EVENT_HANDSHAKE_FAILED_AUTH

        # the core hears it no more; the front, another process, is told, and fault 22 measures that
        wait("a revoked node is let in", refused)
