"""This process as the kernel shows it: memory, descriptors, and the connections among them.

* /proc/self is opened once, before the front is kept in, and gone into by its descriptor. Nothing
  in here fails because no descriptor is left.
* Descriptors are libzmq's, and may close at any moment. They are looked at under their own
  numbers, for at the limit there is none to spare. So a connection that began between two calls
  could be shut in place of one that just ended; its peer connects anew.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from msgspec import Struct

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_INFO_BYTES: Final = 192
_BYTES: Final = struct.Struct("=120xQQ")
"""tcpi_bytes_acked and tcpi_bytes_received in linux/tcp.h's tcp_info."""

Peer = tuple[str, int]
"""The address and port of the other side."""


class Connection(Struct, frozen=True):
    """A TCP connection to one of our ports."""

    port: int  # ours
    peer: Peer
    received: int  # bytes
    acked: int  # bytes that we sent, and the other side has


class Process:
    """Ourselves."""

    def __init__(self) -> None:
        self.directory = os.open("/proc/self", _DIRECTORY)
        self._statm = os.open("statm", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self.directory)

    def resident(self) -> int:
        """Give the bytes that this process has in memory."""
        pages = int(os.pread(self._statm, 200, 0).split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def descriptors(self) -> int:
        """Give the number of open descriptors."""
        counted = os.stat("fd", dir_fd=self.directory).st_size  # since Linux 6.2; 0 before
        return counted or len(os.listdir("/proc/self/fd"))  # noqa: PTH208  ten thousand names, and no Paths

    def connections(self, ports: frozenset[int]) -> tuple[Connection, ...]:
        """Give the connections to our ports."""
        found = map(_connection, self._numbers())
        return tuple(one for one in found if one is not None and one.port in ports)

    def shut(self, guilty: frozenset[Peer]) -> None:
        """End these connections."""
        for number in self._numbers() if guilty else ():
            _shut(number, guilty.__contains__)

    def shut_one(self, number: int, address: str) -> None:
        """End the connection that has this descriptor, if this address is on its other side."""
        if number >= 0:
            _shut(number, lambda peer: peer[:1] == (address,))

    def close(self) -> None:
        """Give the descriptors back."""
        os.close(self._statm)
        os.close(self.directory)

    def _numbers(self) -> tuple[int, ...]:
        try:
            folder = os.open("fd", _DIRECTORY, dir_fd=self.directory)
        except OSError:  # at the limit none is left, and all below it are in use
            return tuple(range(self.descriptors()))
        try:
            return tuple(int(name) for name in os.listdir(folder))  # noqa: PTH208  by descriptor
        finally:
            os.close(folder)


def _connection(number: int) -> Connection | None:
    """Look at a descriptor; None: it is no connection of TCP, or gone meanwhile."""
    try:
        pair = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=number)
    except OSError:
        return None
    try:
        info = pair.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        acked, received = _BYTES.unpack_from(info)
        return Connection(pair.getsockname()[1], pair.getpeername(), received, acked)
    except OSError:
        return None
    finally:
        pair.detach()


def _shut(number: int, guilty: Callable[[Peer], bool]) -> None:
    with suppress(OSError):
        pair = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 0, fileno=number)
        try:
            if guilty(pair.getpeername()):
                pair.shutdown(socket.SHUT_RDWR)
        finally:
            pair.detach()
