"""The main table's IPv4 routes out of a dump, and whether they may have changed since.

Numbers are of <linux/rtnetlink.h>.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterable
from typing import Final

from saltern_states.ports import RouteEntry

from saltern_agent.host.events.netlink import attributes

MAIN_TABLE: Final = 254
HEADER_BYTES: Final = 12
DESTINATION, DEVICE, GATEWAY, METRIC, TABLE = 1, 4, 5, 6, 15  # RTA_…
TYPES: Final = {1: "unicast", 6: "blackhole", 7: "unreachable", 8: "prohibit", 9: "throw"}  # RTN_…
CLONED: Final = 0x200  # RTM_F_CLONED: a cache entry, no route
LINK_GROUPS: Final = 0x1 | 0x10 | 0x40  # RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE
BUFFER_BYTES: Final = 4096  # that something came is all that is asked; a full buffer says so


class Heard:
    """A socket that tells whether anything of some groups changed.

    The kernel puts an event into the socket before the change's author is answered, so
    what was read after an empty socket is true while the socket stays empty.
    """

    def __init__(self, groups: int) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        self._socket = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind((0, groups))
        self._settled = False

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def anything(self) -> bool:
        """Say whether something came since the last reading; then read, and settle()."""
        came = not self._settled
        while True:
            try:
                self._socket.recv(1)
                came = True
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                came = True
        self._settled = not came
        return came

    def settle(self) -> None:
        """Take note that all was read after anything() said yes."""
        self._settled = True


def read_routes(bodies: Iterable[bytes]) -> dict[str, tuple[RouteEntry, ...]]:
    """Give the routes by destination, each destination's by metric."""
    names = dict(socket.if_nameindex())
    found: dict[str, list[RouteEntry]] = {}
    for body in bodies:
        values = dict(attributes(body, HEADER_BYTES))
        table = _number(values.get(TABLE)) or body[4]
        if table != MAIN_TABLE or int.from_bytes(body[8:12], sys.byteorder) & CLONED:
            continue
        destination = f"{_address(values.get(DESTINATION)) or '0.0.0.0'}/{body[1]}"
        entry = RouteEntry(
            destination=destination,
            via=_address(values.get(GATEWAY)),
            device=names.get(_number(values.get(DEVICE)), ""),
            metric=_number(values.get(METRIC)),
            protocol=body[5],
            type=TYPES.get(body[7], str(body[7])),
        )
        found.setdefault(destination, []).append(entry)
    return {to: tuple(sorted(of, key=lambda route: route.metric)) for to, of in found.items()}


def _number(value: bytes | None) -> int:
    return int.from_bytes(value or b"", sys.byteorder)


def _address(value: bytes | None) -> str:
    return socket.inet_ntoa(value) if value else ""
