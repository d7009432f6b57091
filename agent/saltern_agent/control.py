"""The control socket: how `saltern-agent status` and its like talk to the running agent.

A unix socket of mode 0600: only the node's root may speak. A question is one line of JSON, an
answer is lines of JSON of which the last has type "end" (events.py). Nothing in a question is a
path, an option or a command: a statement is bytes, and is believed only as trust.py says.

Bounded: a question of at most MAX_QUESTION bytes, MAX_CLIENTS at a time, MAX_UNREAD bytes of
answer that a client has not read; who goes beyond is cut off.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from saltern_agent.events import End, Line

MAX_QUESTION = 2 * 1024 * 1024
MAX_CLIENTS = 16
MAX_UNREAD = 16 * 1024 * 1024


class AskStatus(msgspec.Struct, frozen=True, tag_field="ask", tag="status"):
    """How do things stand?"""


class AskDrift(msgspec.Struct, frozen=True, tag_field="ask", tag="drift"):
    """What drifted, newest first?"""

    most: int = 100


class AskPlan(msgspec.Struct, frozen=True, tag_field="ask", tag="plan"):
    """What would this statement change? None: the accepted one."""

    statement: bytes | None = None


class AskApply(msgspec.Struct, frozen=True, tag_field="ask", tag="apply"):
    """Accept this statement and converge."""

    statement: bytes


class AskLook(msgspec.Struct, frozen=True, tag_field="ask", tag="look"):
    """Look at everything now; the answer comes when that has been done."""


class AskRevert(msgspec.Struct, frozen=True, tag_field="ask", tag="revert"):
    """Take back what was not confirmed in time; the answer comes when that has been done."""


Question = AskStatus | AskDrift | AskPlan | AskApply | AskLook | AskRevert
read_question = msgspec.json.Decoder(Question).decode
to_json = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Client:
    """One who asked."""

    socket: socket.socket
    asked: bytearray = field(default_factory=bytearray)
    unread: bytearray = field(default_factory=bytearray)
    ended: bool = False  # the answer is whole; close once it is read

    def say(self, value: Line | msgspec.Struct) -> None:
        """Add a line to the answer."""
        self.unread += to_json(value) + b"\n"
        self.ended = self.ended or isinstance(value, End)


class Control:
    """The listening socket and its clients, for the agent's poll loop."""

    def __init__(self, path: Path, answer: Callable[[Question, Client], None]) -> None:
        self._answer = answer
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        new = path.with_name(f"{path.name}.new")  # the kernel tells the socket by this name
        new.unlink(missing_ok=True)
        self._listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        before = os.umask(0o177)
        try:
            self._listening.bind(str(new))
        finally:
            os.umask(before)
        self._listening.listen(MAX_CLIENTS)
        new.replace(path)  # only now: whoever finds it is answered
        self._path = path
        self.clients: dict[int, Client] = {}

    def fileno(self) -> int:
        """Give the listening descriptor."""
        return self._listening.fileno()

    def accept(self) -> None:
        """Take a new client, or turn it away where there are too many."""
        connection, _ = self._listening.accept()
        if len(self.clients) >= MAX_CLIENTS:
            connection.close()
            return
        connection.setblocking(False)
        self.clients[connection.fileno()] = Client(connection)

    def serve(self, descriptor: int) -> None:
        """Read what a client asks, and write what it has not read; close it when that is all."""
        client = self.clients.get(descriptor)
        if client is None:
            return
        try:
            self._read(client)
            self._write(client)
        except OSError:
            self.drop(descriptor)
            return
        if (client.ended and not client.unread) or len(client.unread) > MAX_UNREAD:
            self.drop(descriptor)

    def drop(self, descriptor: int) -> None:
        """Close one client."""
        client = self.clients.pop(descriptor, None)
        if client is not None:
            client.socket.close()
            client.ended = True

    def close(self) -> None:
        """Close all."""
        for descriptor in list(self.clients):
            self.drop(descriptor)
        self._listening.close()
        self._path.unlink(missing_ok=True)

    def _read(self, client: Client) -> None:
        try:
            data = client.socket.recv(65536)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionResetError
        client.asked += data
        line, newline, _ = client.asked.partition(b"\n")
        if not newline:
            if len(client.asked) > MAX_QUESTION:
                raise ConnectionResetError
            return
        client.asked.clear()
        try:
            question = read_question(line)
        except (ValueError, RecursionError) as error:  # also text that is no UTF-8
            client.say(End(False, f"cannot read the question: {error}"))
            return
        self._answer(question, client)

    def _write(self, client: Client) -> None:
        if not client.unread:
            return
        try:
            sent = client.socket.send(client.unread)
        except BlockingIOError:
            return
        del client.unread[:sent]
