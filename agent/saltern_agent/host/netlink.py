"""Links, addresses and routes of the node, by rtnetlink.

* A link is asked for by name, its addresses by its index: no dump of all links.
* pyroute2's messages write what is sent. Answers are read here, attribute by attribute:
  pyroute2 decodes all forty of a link, which takes three times as long as all the rest.
* What cannot be read to its end is HostError "unknown", never "absent".
* Routes can only be dumped, so a node of n routes that looks at each would read n². The
  last dump is kept, in memory, and believed only while a socket that hears every change of
  links, addresses and routes has heard none. It hears links and addresses too because the
  kernel drops IPv4 routes without a word when their link goes down or loses its address.

Numbers are of <linux/rtnetlink.h>, <linux/if_link.h>, <linux/if_addr.h>.
"""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from typing import Any, Final

from saltern_states.ports import HostError, Link, MovedError, RouteEntry

from saltern_agent.host import codec
from saltern_agent.host.events.netlink import attributes, text
from saltern_agent.host.netlink_socket import (
    ACK,
    CREATE,
    DUMP,
    EXCL,
    REPLACE,
    Answer,
    NetlinkSocket,
)
from saltern_agent.host.route_table import LINK_GROUPS, MAIN_TABLE, TYPES, Heard, read_routes

NEW_LINK, DEL_LINK, GET_LINK = 16, 17, 18
NEW_ADDRESS, DEL_ADDRESS, GET_ADDRESS = 20, 21, 22
NEW_ROUTE, DEL_ROUTE, GET_ROUTE = 24, 25, 26
INFO_NAME, INFO_MTU, MASTER, INFO_KIND_OF, KIND = 3, 4, 10, 18, 1  # IFLA_…, IFLA_INFO_KIND
ADDRESS, LOCAL = 1, 2  # IFA_…
UP, PROMISCUOUS = 0x1, 0x100  # IFF_…
SKIP_STATISTICS: Final = 8  # RTEXT_FILTER_SKIP_STATS
LINK_HEADER_BYTES: Final = 16
ADDRESS_HEADER_BYTES: Final = 8
SCOPE_LINK, SCOPE_NOWHERE = 253, 255

GONE: Final = frozenset({errno.ENODEV, errno.EADDRNOTAVAIL, errno.ESRCH, errno.ENOENT})
"""What the kernel answers where the thing to be changed is not there."""


class NetlinkLinks:
    """Links and routes of the network namespace in which this is made."""

    def __init__(self) -> None:
        self._codec = codec.load()
        self._socket = NetlinkSocket(socket.NETLINK_ROUTE)
        self._heard = Heard(LINK_GROUPS)
        self._routes: dict[str, tuple[RouteEntry, ...]] = {}

    def close(self) -> None:
        """Close the sockets."""
        self._socket.close()
        self._heard.close()

    def link(self, name: str) -> Link | None:
        """Give the link, or None."""
        with _telling(f"look at the link {name}"):
            answer = self._get_link(name)
            if answer is None:
                return None
            addresses = self._addresses(_index(answer))
        return _link(answer, addresses)

    def add_bridge(self, name: str) -> None:
        """Make a bridge; down, without address."""
        info = {"attrs": [("IFLA_INFO_KIND", "bridge")]}
        with _telling(f"make the bridge {name}"):
            self._change_link(name, CREATE | EXCL, [("IFLA_LINKINFO", info)])

    def delete(self, name: str) -> None:
        """Delete a link."""
        message = self._codec.link()
        message["attrs"] = [("IFLA_IFNAME", name)]
        with _telling(f"delete the link {name}"):
            self._socket.ask(DEL_LINK, ACK, codec.body(message))

    def set_up(self, name: str) -> None:
        """Bring a link up."""
        with _telling(f"bring up the link {name}"):
            self._change_link(name, 0, [], UP, UP)

    def set_mtu(self, name: str, mtu: int) -> None:
        """Set a link's MTU, in bytes."""
        with _telling(f"set the MTU of {name} to {mtu}"):
            self._change_link(name, 0, [("IFLA_MTU", mtu)])

    def set_promiscuous(self, name: str, promiscuous: bool) -> None:
        """Set or clear IFF_PROMISC."""
        with _telling(f"make {name} {'' if promiscuous else 'not '}promiscuous"):
            self._change_link(name, 0, [], PROMISCUOUS if promiscuous else 0, PROMISCUOUS)

    def loose_ends(self) -> tuple[str, ...]:
        """Give the veth links that are up, port of no bridge and without IPv4 address."""
        with _telling("look for links that are port of nothing"):
            return self._ends(0)

    def ends_of(self, bridge: str) -> tuple[str, ...]:
        """Give those that would be loose ends without this bridge."""
        with _telling(f"look for the ports of {bridge}"):
            return self._ends(_index_of(bridge))

    def _ends(self, master: int) -> tuple[str, ...]:
        message = self._codec.link()
        info = {"attrs": [("IFLA_INFO_KIND", "veth")]}
        message["attrs"] = [("IFLA_EXT_MASK", SKIP_STATISTICS), ("IFLA_LINKINFO", info)]
        answers = self._socket.ask(GET_LINK, DUMP, codec.body(message))
        free = [answer for answer in answers if _master(answer) == master]
        taken = self._with_addresses() if free else frozenset[int]()
        links = (_link(answer, ()) for answer in free if _index(answer) not in taken)
        return tuple(sorted(link.name for link in links if link.kind == "veth" and link.up))

    def attach(self, bridge: str, port: str) -> None:
        """Make a link a port of a bridge."""
        with _telling(f"make {port} a port of {bridge}"):
            self._change_link(port, 0, [("IFLA_MASTER", _index_of(bridge))])

    def add_address(self, name: str, address: str) -> None:
        """Add an address with its prefix."""
        with _telling(f"add {address} to {name}"):
            self._socket.ask(NEW_ADDRESS, ACK | CREATE | EXCL, self._address(name, address))

    def delete_address(self, name: str, address: str) -> None:
        """Delete an address with its prefix."""
        with _telling(f"delete {address} from {name}"):
            self._socket.ask(DEL_ADDRESS, ACK, self._address(name, address))

    def routes(self, destination: str) -> tuple[RouteEntry, ...]:
        """Give the routes to exactly this destination, lowest metric first."""
        return self._table(f"look for routes to {destination}").get(destination, ())

    def routes_of(self, protocol: int) -> tuple[RouteEntry, ...]:
        """Give all routes that bear this protocol number, by destination as text, then metric."""
        table = self._table(f"look for routes of protocol {protocol}")
        return tuple(
            route
            for _, routes in sorted(table.items())
            for route in routes
            if route.protocol == protocol
        )

    def all_routes(self) -> tuple[RouteEntry, ...]:
        """Give every route of the main table, by destination as text, then metric."""
        table = self._table("look at the routes")
        return tuple(route for _, routes in sorted(table.items()) for route in routes)

    def all_links(self) -> tuple[Link, ...]:
        """Give every link that is there, by its number."""
        found = (self.link(name) for _, name in socket.if_nameindex())
        return tuple(link for link in found if link is not None)

    def add_route(self, route: RouteEntry) -> None:
        """Add a route; HostError where one of that destination and metric is there."""
        with _telling(f"add {_words(route)}"):
            body = self._route(route, _type(route), _scope(route))
            self._socket.ask(NEW_ROUTE, ACK | CREATE | EXCL, body)

    def replace_route(self, was: RouteEntry, route: RouteEntry) -> None:
        """Put a route in place of one of the same destination and metric, without a gap."""
        self._check_there(was, "replace")
        with _telling(f"replace {_words(was)} by {_words(route)}"):
            body = self._route(route, _type(route), _scope(route))
            self._socket.ask(NEW_ROUTE, ACK | REPLACE, body)

    def delete_route(self, route: RouteEntry) -> None:
        """Delete exactly this route."""
        self._check_there(route, "delete")  # the kernel takes metric 0 for "any metric"
        with _telling(f"delete {_words(route)}"):
            self._socket.ask(DEL_ROUTE, ACK, self._route(route, 0, SCOPE_NOWHERE))

    def _get_link(self, name: str) -> Answer | None:
        message = self._codec.link()
        message["attrs"] = [("IFLA_IFNAME", name), ("IFLA_EXT_MASK", SKIP_STATISTICS)]
        try:
            return self._socket.ask(GET_LINK, 0, codec.body(message))[0]
        except OSError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def _table(self, doing: str) -> dict[str, tuple[RouteEntry, ...]]:
        if self._heard.anything():
            self._routes = {}
            with _telling(doing):
                answers = self._all_routes()
            self._routes = read_routes(answer.body for answer in answers)
            self._heard.settle()
        return self._routes

    def _all_routes(self) -> tuple[Answer, ...]:
        message = self._codec.route()
        message["family"], message["table"] = socket.AF_INET, MAIN_TABLE
        try:
            return self._socket.ask(GET_ROUTE, DUMP, codec.body(message))
        except FileNotFoundError:  # the kernel makes the main table with its first route
            return ()

    def _addresses(self, index: int) -> tuple[str, ...]:
        message = self._codec.address()
        message["family"], message["index"] = socket.AF_INET, index
        answers = self._socket.ask(GET_ADDRESS, DUMP, codec.body(message))
        return tuple(_address(answer.body) for answer in answers if _index(answer) == index)

    def _with_addresses(self) -> frozenset[int]:
        """Give the index of each link that has an IPv4 address."""
        message = self._codec.address()
        message["family"] = socket.AF_INET
        answers = self._socket.ask(GET_ADDRESS, DUMP, codec.body(message))
        return frozenset(map(_index, answers))

    def _change_link(
        self, name: str, how: int, attributes: list[tuple[str, Any]], flags: int = 0, mask: int = 0
    ) -> None:
        message = self._codec.link()
        message["flags"], message["change"] = flags, mask
        message["attrs"] = [("IFLA_IFNAME", name), *attributes]
        self._socket.ask(NEW_LINK, ACK | how, codec.body(message))

    def _address(self, name: str, address: str) -> bytes:
        link = self._get_link(name)
        if link is None:
            raise OSError(errno.ENODEV, "there is no such link")
        local, _, prefix = address.partition("/")
        message = self._codec.address()
        message["family"], message["prefixlen"] = socket.AF_INET, int(prefix)
        message["index"] = _index(link)
        message["attrs"] = [("IFA_LOCAL", local), ("IFA_ADDRESS", local)]
        return codec.body(message)

    def _route(self, route: RouteEntry, kind: int, scope: int) -> bytes:
        network, _, prefix = route.destination.partition("/")
        message = self._codec.route()
        message["family"], message["table"] = socket.AF_INET, MAIN_TABLE
        message["dst_len"], message["proto"] = int(prefix), route.protocol
        message["type"], message["scope"] = kind, scope
        attrs: list[tuple[str, Any]] = [("RTA_DST", network), ("RTA_TABLE", MAIN_TABLE)]
        if route.via:
            attrs.append(("RTA_GATEWAY", route.via))
        if route.device:
            attrs.append(("RTA_OIF", _index_of(route.device)))
        if route.metric:
            attrs.append(("RTA_PRIORITY", route.metric))
        message["attrs"] = attrs
        return codec.body(message)

    def _check_there(self, route: RouteEntry, verb: str) -> None:
        if route not in self.routes(route.destination):
            raise MovedError(f"cannot {verb} {_words(route)}: it is not there; plan again")


@contextmanager
def _telling(doing: str) -> Iterator[None]:
    """Turn an OSError of the block into a HostError; into MovedError where it says "not there"."""
    try:
        yield
    except InterruptedError as error:
        raise HostError(f"cannot {doing}: unknown: {error.strerror}") from error
    except TimeoutError as error:
        raise HostError(f"cannot {doing}: unknown: the kernel did not answer in time") from error
    except OSError as error:
        kind = MovedError if error.errno in GONE else HostError
        raise kind(f"cannot {doing}: {error.strerror}") from error


def _index_of(name: str) -> int:
    try:
        return socket.if_nametoindex(name)
    except OSError as error:
        raise OSError(errno.ENODEV, f"there is no link {name}") from error


def _index(answer: Answer) -> int:
    """Give the link's index, which stands at the same place in both headers."""
    return int.from_bytes(answer.body[4:8], sys.byteorder)


def _link(answer: Answer, addresses: tuple[str, ...]) -> Link:
    flags = int.from_bytes(answer.body[8:12], sys.byteorder)
    name, kind, mtu = "", "", 0
    for number, value in attributes(answer.body, LINK_HEADER_BYTES):
        if number == INFO_NAME:
            name = text(value)
        elif number == INFO_MTU:
            mtu = int.from_bytes(value, sys.byteorder)
        elif number == INFO_KIND_OF:
            kind = next((text(v) for n, v in attributes(value, 0) if n == KIND), "")
            break  # comes after the others
    return Link(name, kind, bool(flags & UP), mtu, bool(flags & PROMISCUOUS), addresses)


def _master(answer: Answer) -> int:
    """Give the index of the link that it is a port of; 0: of none."""
    found = dict(attributes(answer.body, LINK_HEADER_BYTES)).get(MASTER)
    return int.from_bytes(found, sys.byteorder) if found else 0


def _address(body: bytes) -> str:
    found = dict(attributes(body, ADDRESS_HEADER_BYTES))
    return f"{socket.inet_ntoa(found.get(LOCAL) or found[ADDRESS])}/{body[1]}"


def _type(route: RouteEntry) -> int:
    return next(number for number, name in TYPES.items() if name == route.type)


def _scope(route: RouteEntry) -> int:
    return 0 if route.via or route.type != "unicast" else SCOPE_LINK


def _words(route: RouteEntry) -> str:
    if route.type != "unicast":
        return f"the route to {IPv4Network(route.destination, strict=False)} as {route.type}"
    how = f"via {route.via}" if route.via else "on the link"
    device = f" dev {route.device}" if route.device else ""
    return f"the route to {IPv4Network(route.destination, strict=False)} {how}{device}"
