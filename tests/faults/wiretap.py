"""On the wire, below CURVE: what passes between node and master is recorded, or has a bit flipped.

A Tap listens on loopback, at a port of its own for each way that it treats a connection, and passes
bytes on to one port of the real peer. It runs in a thread; what passed is read when it has ended.
"""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Literal, Self

Way = Literal["up", "down"]  # up: from the node to the master
GREETING: Final = 64  # bytes of ZMTP 3.1
LONG: Final = 0x02


@dataclass(frozen=True, slots=True)
class Flip:
    """One bit of one direction's stream."""

    way: Way
    byte: int
    bit: int


@dataclass(frozen=True, slots=True)
class Splice:
    """Bytes that are put in once so many of one direction have passed."""

    way: Way
    after: int
    data: bytes


Change = Flip | Splice | None


@dataclass(slots=True)
class Line:
    """One connection: both of its ends, and what passed."""

    near: socket.socket
    far: socket.socket
    change: Change
    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class Tap:
    """Passes connections on. One listening port for each change; None: nothing is changed."""

    def __init__(self, target: int, changes: tuple[Change, ...] = (None,)) -> None:
        self.lines: list[Line] = []
        self._target = target
        self._selector = selectors.DefaultSelector()
        self._listening = {socket.create_server(("127.0.0.1", 0)): one for one in changes}
        for one in self._listening:
            self._selector.register(one, selectors.EVENT_READ)
        self.ports = tuple(int(one.getsockname()[1]) for one in self._listening)
        self._wake, self._waker = socket.socketpair()
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._waker.send(b"x")
        self._thread.join()
        for line in self.lines:
            line.near.close()
            line.far.close()
        for one in (*self._listening, self._wake, self._waker):
            one.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake:
                    return
                if key.data is None:
                    self._accept(key.fileobj)  # type: ignore[arg-type]
                else:
                    self._pass(*key.data)

    def _accept(self, listening: socket.socket) -> None:
        near, _ = listening.accept()
        far = socket.create_connection(("127.0.0.1", self._target))
        line = Line(near, far, self._listening[listening])
        self.lines.append(line)
        self._selector.register(near, selectors.EVENT_READ, (line, "up"))
        self._selector.register(far, selectors.EVENT_READ, (line, "down"))

    def _pass(self, line: Line, way: Way) -> None:
        come, go = (line.near, line.far) if way == "up" else (line.far, line.near)
        passed = line.up if way == "up" else line.down
        try:
            data = bytearray(come.recv(65536))
            if data:
                at = len(passed)
                passed += data
                _change(data, at, way, line.change)
                go.sendall(data)
                return
        except OSError:
            pass
        for one in (line.near, line.far):
            with suppress(KeyError, ValueError):
                self._selector.unregister(one)
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


def _change(data: bytearray, at: int, way: Way, change: Change) -> None:
    match change:
        case Flip() if change.way == way and at <= change.byte < at + len(data):
            data[change.byte - at] ^= 1 << change.bit
        case Splice() if change.way == way and at < change.after <= at + len(data):
            data[change.after - at : change.after - at] = change.data


@dataclass(frozen=True, slots=True)
class Frame:
    """One ZMTP frame in a stream: where it begins, where its body does, where it ends."""

    start: int
    body: int
    end: int


def frames(stream: bytes) -> Iterator[Frame]:
    """Cut a recorded stream into its frames; what stands before them is the greeting."""
    at = GREETING
    while at + 2 <= len(stream):
        long = stream[at] & LONG
        body = at + (9 if long else 2)
        end = body + int.from_bytes(stream[at + 1 : body], "big")
        if end > len(stream):
            return
        yield Frame(at, body, end)
        at = end
