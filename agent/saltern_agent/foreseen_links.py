"""Links and routes of a foreseen node, as the kernel will keep them once what is planned is done.

* A link that goes takes its addresses and the routes over it with it; its ports are free then.
* The first address in a network is the primary one: when it goes, the others of that network go
  too. With the last address of a link go all its routes.
* An address on a link that is up makes a route to its network, the kernel's own.

tests/contracts holds the fake of tests to the same laws on a real kernel, and tests/agent holds
this to the fake.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from saltern_states.ports import HostError, Link, Links, MovedError, RouteEntry

KERNEL = 2
"""RTPROT_KERNEL of rtnetlink.h."""

NEW_MTU = 1500
"""What a bridge without ports has (net/bridge/br_device.c)."""


@dataclass(slots=True)
class ForeseenLinks:
    """The links and routes that will be."""

    real: Links
    changed: dict[str, Link | None] = field(default_factory=dict)
    added: list[RouteEntry] = field(default_factory=list)
    removed: list[RouteEntry] = field(default_factory=list)  # of the real routes
    deleted: set[str] = field(default_factory=set)  # of the real links
    bare: set[str] = field(default_factory=set)  # links that lost all the routes they have now
    attached: dict[str, str] = field(default_factory=dict)  # port -> bridge
    freed: set[str] = field(default_factory=set)

    def link(self, name: str) -> Link | None:
        """Give the link, or None."""
        return self.changed[name] if name in self.changed else self.real.link(name)

    def goes(self, name: str) -> bool:
        """Say whether the link of that name that is there now will go."""
        return name in self.deleted

    def add_bridge(self, name: str) -> None:
        """Have a bridge; down, without address."""
        if self.link(name) is not None:
            raise HostError(f"cannot foresee the bridge {name}: there is a link of that name")
        self.changed[name] = Link(name, "bridge", False, NEW_MTU, False, ())

    def delete(self, name: str) -> None:
        """Have no such link."""
        if self._link(name).kind == "bridge" and name not in self.deleted:
            self.freed |= set(self.real.ends_of(name))
        self.freed |= {port for port, bridge in self.attached.items() if bridge == name}
        self.freed.discard(name)
        self.changed[name] = None
        self.deleted.add(name)
        self._drop_routes(name)

    def set_up(self, name: str) -> None:
        """Have a link up."""
        self.changed[name] = replace(self._link(name), up=True)

    def set_mtu(self, name: str, mtu: int) -> None:
        """Have another MTU."""
        self.changed[name] = replace(self._link(name), mtu=mtu)

    def set_promiscuous(self, name: str, promiscuous: bool) -> None:
        """Have IFF_PROMISC set or cleared."""
        self.changed[name] = replace(self._link(name), promiscuous=promiscuous)

    def loose_ends(self) -> tuple[str, ...]:
        """Give the veth links that will be up, port of no bridge and without address."""
        taken = self.attached.keys() - self.freed
        gone = {name for name, link in self.changed.items() if link is None}
        return tuple(sorted(({*self.real.loose_ends()} | self.freed) - taken - gone))

    def ends_of(self, bridge: str) -> tuple[str, ...]:
        """Give those that will be ports of a bridge."""
        known = self.real.ends_of(bridge) if bridge not in self.deleted else ()
        come = {port for port, at in self.attached.items() if at == bridge}
        gone = {name for name, link in self.changed.items() if link is None} | self.freed
        return tuple(sorted({*known, *come} - gone))

    def attach(self, bridge: str, port: str) -> None:
        """Have a link as a port of a bridge."""
        self.attached[port] = bridge
        self.freed.discard(port)

    def add_address(self, name: str, address: str) -> None:
        """Have an address: primaries in order, then secondaries."""
        link = self._link(name)
        primaries = primary(link.addresses)
        if network(address) in {network(one) for one in primaries}:
            addresses = (*link.addresses, address)
        else:
            addresses = (*primaries, address, *link.addresses[len(primaries) :])
        self.changed[name] = replace(link, addresses=addresses)

    def delete_address(self, name: str, address: str) -> None:
        """Have an address no more; a primary takes its secondaries with it."""
        link = self._link(name)
        leads = address in primary(link.addresses)
        left = tuple(
            one
            for one in link.addresses
            if one != address and not (leads and network(one) == network(address))
        )
        self.changed[name] = replace(link, addresses=left)
        if not left:
            self._drop_routes(name)

    def routes(self, destination: str) -> tuple[RouteEntry, ...]:
        """Give the routes that will lead to exactly this destination, lowest metric first."""
        found = (*self._standing(self.real.routes(destination)), *self._connected(), *self.added)
        chosen = (route for route in found if route.destination == destination)
        return tuple(sorted(chosen, key=lambda route: route.metric))

    def routes_of(self, protocol: int) -> tuple[RouteEntry, ...]:
        """Give all routes that will bear this protocol number, by destination, then metric."""
        found = (*self._standing(self.real.routes_of(protocol)), *self._connected(), *self.added)
        chosen = (route for route in found if route.protocol == protocol)
        return tuple(sorted(chosen, key=lambda route: (route.destination, route.metric)))

    def add_route(self, route: RouteEntry) -> None:
        """Have a route; HostError where one of that destination and metric will be there."""
        if any(one.metric == route.metric for one in self.routes(route.destination)):
            raise HostError(f"cannot foresee the route to {route.destination}: there is one")
        self.added.append(self._resolved(route))

    def replace_route(self, was: RouteEntry, route: RouteEntry) -> None:
        """Have a route in place of another."""
        self.delete_route(was)
        self.added.append(self._resolved(route))

    def delete_route(self, route: RouteEntry) -> None:
        """Have exactly this route no more."""
        if route in self.added:
            self.added.remove(route)
        elif route in self.routes(route.destination):
            self.removed.append(route)
        else:
            raise MovedError(f"cannot foresee the route to {route.destination}: it is not there")

    def _link(self, name: str) -> Link:
        link = self.link(name)
        if link is None:
            raise HostError(f"cannot foresee {name}: there is no such link")
        return link

    def _standing(self, routes: tuple[RouteEntry, ...]) -> tuple[RouteEntry, ...]:
        """Give those of the real routes that will still be there."""
        return tuple(
            route
            for route in routes
            if route not in self.removed
            and not (route.type == "unicast" and route.device in self.bare)
            and not (route.protocol == KERNEL and route.device in self.changed)
        )

    def _connected(self) -> tuple[RouteEntry, ...]:
        """Give the kernel's own routes over the links that change."""
        return tuple(
            RouteEntry(network(address), "", link.name, 0, KERNEL)
            for link in self.changed.values()
            if link is not None and link.up
            for address in primary(link.addresses)
            if not address.endswith("/32")
        )

    def _drop_routes(self, name: str) -> None:
        self.bare.add(name)
        self.added = [route for route in self.added if route.device != name]

    def _resolved(self, route: RouteEntry) -> RouteEntry:
        """Give the route with its device, where a link that changes is the way to its gateway."""
        if route.device or not route.via:
            return route
        for way in self._connected():
            if IPv4Address(route.via) in IPv4Network(way.destination):
                return replace(route, device=way.device)
        return route


def network(address: str) -> str:
    """Give the network of an address with prefix."""
    return str(IPv4Interface(address).network)


def primary(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Give the first address of each network."""
    first: dict[str, str] = {}
    for address in addresses:
        first.setdefault(network(address), address)
    return tuple(first.values())
