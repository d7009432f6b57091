"""What rtnetlink(7) says of links, addresses and routes: just enough of it, from its bytes.

Numbers and structs are of <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>.
"""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from saltern_agent.host.events.netlink import HEADER, Message, attributes, messages, text

NETLINK_ROUTE: Final = 0
LINKS, ADDRESSES, ROUTES = 0x1, 0x10, 0x40  # RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE

NEW_LINK, DEL_LINK, NEW_ADDRESS, DEL_ADDRESS = 16, 17, 20, 21
NEW_ROUTE, DEL_ROUTE, GET_ROUTE = 24, 25, 26
ERROR, DONE = 2, 3
REQUEST, DUMP, DUMP_INTERRUPTED = 0x1, 0x300, 0x10
MAIN_TABLE: Final = 254
IFF_UP: Final = 0x1
SOL_NETLINK: Final = 270
NETLINK_GET_STRICT_CHK: Final = 12

LINK: Final = struct.Struct("=BxHiII")  # family, type, index, flags, change
ADDRESS: Final = struct.Struct("=BBBBI")  # family, prefix, flags, scope, index
ROUTE: Final = struct.Struct("=BBBBBBBBI")  # family, prefix, …, table, …, flags
HOP: Final = struct.Struct("=HBBi")  # length, flags, weight, index

DUMP_SECONDS: Final = 5.0
DUMP_TRIES: Final = 3

Destination = tuple[bytes, int]
"""Network and prefix length: (b"\\x0a\\x0a\\x05\\x00", 24)."""


@dataclass(frozen=True, slots=True)
class LinkNews:
    """A link came, changed or went."""

    index: int
    name: str
    up: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class AddressNews:
    """An IPv4 address of a link came or went."""

    index: int
    gone: bool


@dataclass(frozen=True, slots=True)
class RouteNews:
    """An IPv4 route of the main table came or went."""

    destination: Destination
    over: frozenset[int]  # indexes of the links that it leads over
    gone: bool


News = LinkNews | AddressNews | RouteNews


def parse(message: Message) -> News | None:
    """Read a message; None where it tells of something else."""
    body = message.body
    if message.type in (NEW_LINK, DEL_LINK) and len(body) >= LINK.size:
        return _link(body, message.type == DEL_LINK)
    if message.type in (NEW_ADDRESS, DEL_ADDRESS) and len(body) >= ADDRESS.size:
        return AddressNews(ADDRESS.unpack_from(body)[4], message.type == DEL_ADDRESS)
    if message.type in (NEW_ROUTE, DEL_ROUTE) and len(body) >= ROUTE.size:
        return _route(body, message.type == DEL_ROUTE)
    return None


def destination(cidr: str) -> Destination:
    """Read an IPv4 network; bits beyond the prefix are dropped, as the kernel drops them."""
    network, _, length = cidr.partition("/")
    bits = int(length or "32")
    mask = (0xFFFF_FFFF << (32 - bits)) & 0xFFFF_FFFF
    number = int.from_bytes(socket.inet_pton(socket.AF_INET, network), "big") & mask
    return number.to_bytes(4, "big"), bits


def routes() -> tuple[RouteNews, ...]:
    """Ask the kernel for the main table's IPv4 routes; OSError where it does not answer."""
    found: tuple[RouteNews, ...] = ()
    for _ in range(DUMP_TRIES):
        answer = _dump()
        news = (parse(message) for message in answer)
        found += tuple(each for each in news if isinstance(each, RouteNews))
        if not any(message.flags & DUMP_INTERRUPTED for message in answer):
            break
    return found


def _dump() -> tuple[Message, ...]:
    request = ROUTE.pack(socket.AF_INET, 0, 0, 0, MAIN_TABLE, 0, 0, 0, 0)
    head = HEADER.pack(HEADER.size + len(request), GET_ROUTE, REQUEST | DUMP, 1, 0)
    answer: list[Message] = []
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_ROUTE
    ) as ask:
        ask.settimeout(DUMP_SECONDS)
        ask.setsockopt(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1)
        ask.sendto(head + request, (0, 0))
        while not answer or answer[-1].type not in (DONE, ERROR):
            answer.extend(messages(ask.recv(64 * 1024)))
    return tuple(answer)


def _link(body: bytes, deleted: bool) -> LinkNews | None:
    family, _type, index, flags, _change = LINK.unpack_from(body)
    for kind, value in attributes(body, LINK.size):
        if kind == 3:  # IFLA_IFNAME
            # A bridge says with its own family that a port left it; the link itself stays.
            gone = deleted and family == socket.AF_UNSPEC
            return LinkNews(index, text(value), bool(flags & IFF_UP), gone)
    return None


def _route(body: bytes, gone: bool) -> RouteNews | None:
    family, bits, _src, _tos, table, _protocol, _scope, _type, _flags = ROUTE.unpack_from(body)
    network, over = bytes(4), set[int]()
    for kind, value in attributes(body, ROUTE.size):
        if kind == 1:  # RTA_DST
            network = value
        elif kind == 4 and len(value) == 4:  # RTA_OIF
            over.add(int.from_bytes(value, sys.byteorder))
        elif kind == 9:  # RTA_MULTIPATH
            over.update(_hops(value))
        elif kind == 15 and len(value) == 4:  # RTA_TABLE
            table = int.from_bytes(value, sys.byteorder)
    if family != socket.AF_INET or table != MAIN_TABLE:
        return None
    return RouteNews((network, bits), frozenset(over), gone)


def _hops(data: bytes) -> Iterator[int]:
    at = 0
    while at + HOP.size <= len(data):
        length, _flags, _weight, index = HOP.unpack_from(data, at)
        if length < HOP.size:
            return
        yield index
        at += (length + 3) & ~3
