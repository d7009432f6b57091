"""The guard: ends connections that fill our memory with what never becomes a message.

libzmq 4.3.5 counts whole messages against its high-water mark, and bounds one frame by MAXMSGSIZE;
a message of endless frames is under neither, and the door is open to every key. So: when this
process grew by GROWTH since the last look, the connections that brought most since then are shut,
the greatest first, until what they brought is as much as the growth. Shutting is harmless to an
honest node: it says Hello again, and sends again what was not acknowledged.

* Connections that brought less than MODEST since the last look are left alone, so that many new
  peers, or blobs on their way out, cost nobody a connection.
* Descriptors are libzmq's: each is duplicated, looked at and shut through the duplicate, so a
  number that was given to another connection meanwhile does no harm.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

GROWTH: Final = 64 * 2**20
MODEST: Final = 2**20
_BYTES_RECEIVED: Final = 128  # offset of tcpi_bytes_received, u64, in linux/tcp.h's tcp_info
_INFO_BYTES: Final = 192
_SELF: Final = Path("/proc/self")

Connection = tuple[str, int]


class Guard:
    """Looks at memory, and, when it grew, at connections."""

    def __init__(self, ports: frozenset[int]) -> None:
        self._ports = ports
        self._mark = resident()
        self._before: Mapping[Connection, int] = {}

    def look(self) -> tuple[Connection, ...]:
        """Shut who filled us; give their addresses."""
        growth = resident() - self._mark
        if growth < GROWTH:
            self._mark += min(growth, 0)
            return ()
        now = received(self._ports)
        guilty = choose(self._before, now, growth)
        shut(self._ports, frozenset(guilty))
        self._before, self._mark = now, resident()
        return guilty


def choose(
    before: Mapping[Connection, int], now: Mapping[Connection, int], growth: int
) -> tuple[Connection, ...]:
    """Give the connections that brought most since the last look, until they make the growth."""
    brought = {peer: count - before.get(peer, 0) for peer, count in now.items()}
    chosen: list[Connection] = []
    covered = 0
    for peer in sorted(brought, key=lambda peer: -brought[peer]):
        if covered >= growth or brought[peer] < MODEST:
            break
        chosen.append(peer)
        covered += brought[peer]
    return tuple(chosen)


def resident() -> int:
    """Give the bytes that this process has in memory."""
    pages = int((_SELF / "statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def descriptors() -> int:
    """Give the number of open descriptors."""
    return sum(1 for _ in (_SELF / "fd").iterdir())


def received(ports: frozenset[int]) -> dict[Connection, int]:
    """Give the bytes that came over each connection to one of our ports."""
    return _each(ports, frozenset())


def shut(ports: frozenset[int], guilty: frozenset[Connection]) -> None:
    """End these connections."""
    _each(ports, guilty)


def _each(ports: frozenset[int], guilty: frozenset[Connection]) -> dict[Connection, int]:
    found: dict[Connection, int] = {}
    for entry in list((_SELF / "fd").iterdir()):
        try:
            copy = os.dup(int(entry.name))
        except OSError:  # gone meanwhile
            continue
        try:
            peer, count = _connection(copy, ports, guilty)
        except OSError:  # no socket, or one that listens, or gone meanwhile
            continue
        finally:
            os.close(copy)
        if peer is not None:
            found[peer] = count
    return found


def _connection(
    descriptor: int, ports: frozenset[int], guilty: frozenset[Connection]
) -> tuple[Connection | None, int]:
    """Look at one descriptor, and shut it if it is a guilty one's."""
    pair = socket.socket(fileno=descriptor)
    try:
        if pair.family != socket.AF_INET or pair.getsockname()[1] not in ports:
            return None, 0
        peer: Connection = pair.getpeername()
        info = pair.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO_BYTES)
        if peer in guilty:
            pair.shutdown(socket.SHUT_RDWR)
        return peer, struct.unpack_from("=Q", info, _BYTES_RECEIVED)[0]
    finally:
        pair.detach()
