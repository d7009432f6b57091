"""A connection to a message bus that never blocks: bytes in, D-Bus messages out.

jeepney makes and reads the messages; its own connections wait for answers, and this one
lives in a poll loop.

* What is sent before the bus has let us in, or faster than it reads, is held back. There is
  then always an answer to come, and with it the next chance to send.
* Any local user may send us a message. One that is too long or that jeepney cannot read is
  passed over; it costs neither memory nor the connection.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from itertools import count
from typing import Final

from jeepney import HeaderFields, Message
from jeepney.auth import BEGIN, AuthenticationError, Authenticator
from jeepney.low_level import calc_msg_size
from saltern_states.ports import HostError

MESSAGE_BYTES: Final = 256 * 1024  # systemd's longest signal has some 20 KiB
READ_BYTES: Final = 64 * 1024
READS: Final = 16  # so that one source cannot hold up the loop
FIXED_HEADER_BYTES: Final = 16
UNREADABLE: Final = (ValueError, LookupError, TypeError, RecursionError, struct.error)


class BusLostError(HostError):
    """The bus is not there, or the connection to it ended."""


class Bus:
    """One connection to the bus whose socket is at `path`; BusLostError where there is none."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._serials = count(1)
        self._login: Authenticator | None = Authenticator(inc_null_byte=True)
        self._held = bytearray()  # until we are let in
        self._outgoing = bytearray()
        self._incoming = bytearray()
        self._to_skip = 0
        flags = socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        self._socket = socket.socket(socket.AF_UNIX, flags)
        try:
            self._socket.connect(path)
            self._push(self._login.data_to_send() or b"")
        except OSError as error:
            self._socket.close()
            raise self._lost(error.strerror or str(error)) from error

    def fileno(self) -> int:
        """Give the socket's descriptor."""
        return self._socket.fileno()

    def send(self, message: Message) -> int:
        """Send a message, now or when the bus takes it; give its serial number."""
        serial = next(self._serials)
        data = message.serialise(serial=serial)
        if self._login is not None:
            self._held += data
        else:
            self._push(data)
        return serial

    def receive(self) -> tuple[Message, ...]:
        """Give what has come; BusLostError where the connection ended."""
        heard: list[Message] = []
        for _ in range(READS):
            try:
                data = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                raise self._lost(error.strerror or str(error)) from error
            if not data:
                raise self._lost("it closed the connection")
            if self._login is not None:
                self._log_in(self._login, data)
            else:
                heard.extend(self._messages(data))
        self._push(b"")
        return tuple(heard)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _log_in(self, login: Authenticator, data: bytes) -> None:
        try:
            login.feed(data)
        except AuthenticationError as error:
            raise self._lost(str(error)) from error
        if login.authenticated:
            self._login = None
            self._push(BEGIN + bytes(self._held))
            self._held.clear()

    def _push(self, data: bytes) -> None:
        """Send as much as the bus takes; a connection that ended is told by receive()."""
        self._outgoing += data
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing)]
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            self._outgoing.clear()

    def _messages(self, data: bytes) -> Iterator[Message]:
        """Cut the stream into messages; those that are too long are never kept."""
        skipped = min(self._to_skip, len(data))
        self._to_skip -= skipped
        self._incoming += data[skipped:]
        while len(self._incoming) >= FIXED_HEADER_BYTES:
            size = self._size()
            if size > MESSAGE_BYTES:
                self._to_skip = max(0, size - len(self._incoming))
                del self._incoming[:size]
            elif len(self._incoming) < size:
                return
            else:
                whole = bytes(self._incoming[:size])
                del self._incoming[:size]
                yield from _readable(whole)

    def _size(self) -> int:
        try:
            return int(calc_msg_size(bytes(self._incoming[:FIXED_HEADER_BYTES])))
        except UNREADABLE as error:
            raise self._lost("it does not speak D-Bus") from error

    def _lost(self, why: str) -> BusLostError:
        return BusLostError(f"cannot hear the bus at {self._path}: {why}")


def sender(message: Message) -> str:
    """Give the unique name of who sent a message; the bus itself has written it there."""
    return str(message.header.fields.get(HeaderFields.sender, ""))


def _readable(whole: bytes) -> Iterator[Message]:
    try:
        message = Message.from_buffer(whole)
    except UNREADABLE:
        return
    yield message
