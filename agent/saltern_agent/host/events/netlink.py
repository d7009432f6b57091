"""Netlink's common part: a socket that listens to groups, and messages and attributes as values.

* Only what the kernel itself sent is read: any process may send to a netlink socket.
* ENOBUFS (netlink(7)) and a message longer than the buffer mean that events were lost.
* Bytes that are no whole message or attribute end the reading of what contains them.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence, port
ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
TYPE_MASK: Final = 0x3FFF  # without NLA_F_NESTED and NLA_F_NET_BYTEORDER
SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h; Python has no name for it

RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024  # some 2,000 links or 10,000 rules at once
DATAGRAM_BYTES: Final = 64 * 1024
DATAGRAMS_A_READ: Final = 256  # so that one source cannot hold up the loop


@dataclass(frozen=True, slots=True)
class Message:
    """One netlink message."""

    type: int
    flags: int
    body: bytes


def messages(data: bytes) -> Iterator[Message]:
    """Read the messages of one datagram."""
    at = 0
    while at + HEADER.size <= len(data):
        length, kind, flags, _sequence, _port = HEADER.unpack_from(data, at)
        if length < HEADER.size or at + length > len(data):
            return
        yield Message(kind, flags, data[at + HEADER.size : at + length])
        at += aligned(length)


def attributes(data: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    """Read (type, value) from `start` on; the caller stops where it has what it wants."""
    at = start
    while at + ATTRIBUTE.size <= len(data):
        length, kind = ATTRIBUTE.unpack_from(data, at)
        if length < ATTRIBUTE.size or at + length > len(data):
            return
        yield kind & TYPE_MASK, data[at + ATTRIBUTE.size : at + length]
        at += aligned(length)


def aligned(length: int) -> int:
    """Round up to the four bytes that netlink aligns to."""
    return (length + 3) & ~3


def text(value: bytes) -> str:
    """Give a name that the kernel ends with a zero; what is no text is escaped."""
    return value.split(b"\0", 1)[0].decode(errors="backslashreplace")


class Listener:
    """A netlink socket that hears some groups of one protocol."""

    def __init__(self, protocol: int, groups: int) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            protocol,
        )
        _widen(self._socket)
        self._socket.bind((0, groups))

    def fileno(self) -> int:
        """Give the socket's descriptor."""
        return self._socket.fileno()

    def read(self) -> tuple[tuple[Message, ...], bool]:
        """Give what the kernel has told, and whether some of it was lost."""
        heard: list[Message] = []
        lost = False
        for _ in range(DATAGRAMS_A_READ):
            try:
                data, _ancillary, flags, (port, _groups) = self._socket.recvmsg(DATAGRAM_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                lost = True
                continue
            lost = lost or bool(flags & socket.MSG_TRUNC)
            if port == 0:
                heard.extend(messages(data))
        return tuple(heard), lost

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()


def _widen(listener: socket.socket) -> None:
    """Ask for a buffer beyond net.core.rmem_max, or, without CAP_NET_ADMIN there, up to it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    with suppress(PermissionError):
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
