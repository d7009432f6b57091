"""The system bus, spoken to by systemd's callers: one connection, many questions at once.

* Questions are sent in one write and their answers read in turn, so ten cost one way.
* A question that is asked often is put into bytes once (`question`); only its number changes.
* A connection that broke is opened again, once per round of questions; a question is only
  asked twice where asking has no effect (`ask`), never where it has (`tell`).
* One round at a time: a lock keeps threads apart.

Outside facts: the D-Bus specification ("Message Protocol"), systemd's org.freedesktop.systemd1(5).
"""

from __future__ import annotations

import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from socket import MSG_DONTWAIT, MSG_PEEK, socket
from threading import Lock
from typing import Any, Final

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_method_call
from jeepney.io.blocking import DBusConnection, prep_socket
from saltern_states.ports import HostError

SYSTEM_BUS: Final = "/run/dbus/system_bus_socket"
ANSWER_SECONDS: Final = 10.0
NUMBER: Final = struct.Struct("<I")
NUMBER_AT: Final = 8  # after byte order, type, flags, version and the body's length


class DBusError(HostError):
    """The bus, or who was asked, gave an error; `name` is D-Bus's name for it."""

    def __init__(self, name: str, text: str) -> None:
        super().__init__(text)
        self.name = name


def call(path: str, interface: str, method: str, signature: str = "", *body: object) -> Message:
    """Make a call to systemd."""
    systemd = DBusAddress(path, bus_name="org.freedesktop.systemd1", interface=interface)
    return new_method_call(systemd, method, signature or None, body)


@dataclass(frozen=True, slots=True)
class Question:
    """A call in bytes, without the number by which its answer is known."""

    before: bytes
    after: bytes

    def numbered(self, serial: int) -> bytes:
        """Give it with a number."""
        return self.before + NUMBER.pack(serial) + self.after


def question(message: Message) -> Question:
    """Put a call into bytes; jeepney writes the low byte first."""
    data = message.serialise(serial=1)
    return Question(data[:NUMBER_AT], data[NUMBER_AT + NUMBER.size :])


class Bus:
    """A connection that is kept."""

    def __init__(self, address: str = SYSTEM_BUS) -> None:
        self._address = address
        self._lock = Lock()
        self._connection: DBusConnection | None = None

    def ask(self, calls: Sequence[Question]) -> tuple[tuple[Any, ...] | DBusError, ...]:
        """Make calls that change nothing; give each one's body, or its error."""
        with self._lock:
            try:
                return self._round(calls, ANSWER_SECONDS)
            except (OSError, EOFError):
                self._drop()
            return self._told(calls, ANSWER_SECONDS)

    def tell(self, message: Message, seconds: float = ANSWER_SECONDS) -> tuple[Any, ...]:
        """Make one call that changes something; DBusError where it is refused."""
        with self._lock:
            if self._connection is not None and _is_closed(self._connection):
                self._drop()
            (answer,) = self._told([question(message)], seconds)
        if isinstance(answer, DBusError):
            raise answer
        return answer

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            self._drop()

    def _told(
        self, calls: Sequence[Question], seconds: float
    ) -> tuple[tuple[Any, ...] | DBusError, ...]:
        try:
            return self._round(calls, seconds)
        except (OSError, EOFError) as error:
            self._drop()
            raise silent(self._address, error) from error

    def _round(
        self, calls: Sequence[Question], seconds: float
    ) -> tuple[tuple[Any, ...] | DBusError, ...]:
        if self._connection is None:
            self._connection = connect(self._address)
        connection, until = self._connection, time.monotonic() + seconds
        serials = [next(connection.outgoing_serial) for _ in calls]
        pairs = zip(calls, serials, strict=True)
        connection.sock.sendall(b"".join(one.numbered(serial) for one, serial in pairs))
        answers: dict[int, tuple[Any, ...] | DBusError] = {}
        while len(answers) < len(serials):
            message = connection.receive(timeout=max(until - time.monotonic(), 0.0))
            serial = message.header.fields.get(HeaderFields.reply_serial)
            if serial in serials:
                answers[serial] = body(message)
        return tuple(answers[serial] for serial in serials)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class Connection(DBusConnection):  # type: ignore[misc]  # jeepney has no types
    """A connection that waits for no answer without end, and leaves nothing open where it fails.

    jeepney's own waits for the answer to Hello for ever, and where that fails its descriptors stay
    until Python collects garbage.
    """

    def __init__(self, sock: socket, seconds: float) -> None:
        self._seconds = seconds
        try:
            super().__init__(sock)
        except BaseException:
            self.close()
            raise

    def send_and_get_reply(self, message: Message, *, timeout: float | None = None) -> Message:
        """Send a message and give its answer; TimeoutError. `timeout`: None: as long as for all."""
        return super().send_and_get_reply(
            message, timeout=self._seconds if timeout is None else timeout
        )


def connect(address: str, seconds: float = ANSWER_SECONDS) -> DBusConnection:
    """Open a connection to the bus; OSError, and no TimeoutError, where nobody answers."""
    try:
        return Connection(prep_socket(address), seconds)
    except TimeoutError as error:
        raise ConnectionError(f"it let us wait for {seconds:.0f} s") from error


def body(message: Message) -> tuple[Any, ...] | DBusError:
    """Give an answer's body, or the error that it is."""
    if message.header.message_type is not MessageType.error:
        return tuple(message.body)
    name = message.header.fields.get(HeaderFields.error_name, "")
    text = message.body[0] if message.body and isinstance(message.body[0], str) else name
    return DBusError(name, text)


def silent(address: str, error: Exception) -> HostError:
    """Say that the bus could not be spoken to."""
    what = str(error) or type(error).__name__
    return HostError(
        f"cannot ask systemd: the bus at {address} does not answer ({what}); is dbus running?"
    )


def _is_closed(connection: DBusConnection) -> bool:
    """Look, without waiting, whether the other end has hung up."""
    ready = connection.selector.select(0)
    if not ready:
        return False
    try:
        return not connection.sock.recv(1, MSG_PEEK | MSG_DONTWAIT)
    except OSError:
        return True
