"""Links in memory, as the kernel keeps them.

* A link that goes takes its addresses and routes with it; one that goes down, its routes.
* The first address in a network is the primary one: when it goes, the others of that
  network go too (net.ipv4.conf.*.promote_secondaries is 0 in a new kernel).
* A link without any IPv4 address has no routes.
* A route that is not unicast leads over no link, so it goes with none.
* An address on a link that is up makes a route to its network (protocol 2, the kernel's).
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from saltern_states.ports import HostError, Link, MovedError, RouteEntry

KERNEL = 2
"""RTPROT_KERNEL of rtnetlink.h."""


class FakeLinks:
    """Links and routes of the main table."""

    def __init__(self) -> None:
        self.table: dict[str, Link] = {}
        self.added: list[RouteEntry] = []
        self.ports: dict[str, str] = {}

    def add(self, name: str, kind: str = "", *, up: bool = True, mtu: int = 1500) -> None:
        """Put a link there, as a driver or another program would; kind "" is a device."""
        self.table[name] = Link(name, kind, up, mtu, promiscuous=False, addresses=())

    def set_down(self, name: str) -> None:
        """Bring a link down, as another program would."""
        self.table[name] = replace(self._link(name, "bring down"), up=False)
        self._drop_routes(name)

    def link(self, name: str) -> Link | None:
        """Give the link, or None."""
        return self.table.get(name)

    def add_bridge(self, name: str) -> None:
        """Make a bridge; down, without address."""
        if name in self.table:
            raise HostError(f"cannot make the bridge {name}: File exists")
        self.add(name, "bridge", up=False)

    def delete(self, name: str) -> None:
        """Delete a link that is no device."""
        if not self._link(name, "delete").kind:
            raise HostError(f"cannot delete the link {name}: Operation not supported")
        del self.table[name]
        self.ports = {port: at for port, at in self.ports.items() if name not in (port, at)}
        self._drop_routes(name)

    def set_up(self, name: str) -> None:
        """Bring a link up."""
        self.table[name] = replace(self._link(name, "bring up"), up=True)

    def set_mtu(self, name: str, mtu: int) -> None:
        """Set a link's MTU, in bytes."""
        if not 68 <= mtu <= 65535:
            raise HostError(f"cannot set the MTU of {name} to {mtu}: Invalid argument")
        self.table[name] = replace(self._link(name, "set the MTU of"), mtu=mtu)

    def set_promiscuous(self, name: str, promiscuous: bool) -> None:
        """Set or clear IFF_PROMISC."""
        link = self._link(name, "set promiscuity of")
        self.table[name] = replace(link, promiscuous=promiscuous)

    def loose_ends(self) -> tuple[str, ...]:
        """Give the veth links that are up, port of no bridge and without IPv4 address."""
        return self._ends("")

    def ends_of(self, bridge: str) -> tuple[str, ...]:
        """Give those that would be loose ends without this bridge."""
        return self._ends(bridge)

    def attach(self, bridge: str, port: str) -> None:
        """Make a link a port of a bridge."""
        self._link(port, "attach")
        if self._link(bridge, f"attach {port} to").kind != "bridge":
            raise HostError(f"cannot make {port} a port of {bridge}: Operation not supported")
        self.ports[port] = bridge

    def add_address(self, name: str, address: str) -> None:
        """Add an address with its prefix: primaries in order, then secondaries."""
        link = self._link(name, f"add {address} to")
        if address in link.addresses:
            raise HostError(f"cannot add {address} to {name}: File exists")
        primaries = primary(link.addresses)
        if network(address) in {network(one) for one in primaries}:
            addresses = (*link.addresses, address)
        else:
            addresses = (*primaries, address, *link.addresses[len(primaries) :])
        self.table[name] = replace(link, addresses=addresses)

    def delete_address(self, name: str, address: str) -> None:
        """Delete an address with its prefix; a primary takes its secondaries with it."""
        link = self._link(name, f"delete {address} from")
        if address not in link.addresses:
            raise MovedError(f"cannot delete {address} from {name}: it is not there")
        leads = address in primary(link.addresses)
        left = tuple(
            one
            for one in link.addresses
            if one != address and not (leads and network(one) == network(address))
        )
        self.table[name] = replace(link, addresses=left)
        if not left:
            self._drop_routes(name)

    def routes(self, destination: str) -> tuple[RouteEntry, ...]:
        """Give the routes to exactly this destination, lowest metric first."""
        found = [r for r in (*self._connected(), *self.added) if r.destination == destination]
        return tuple(sorted(found, key=lambda route: route.metric))

    def routes_of(self, protocol: int) -> tuple[RouteEntry, ...]:
        """Give all routes that bear this protocol number, by destination as text, then metric."""
        found = [r for r in (*self._connected(), *self.added) if r.protocol == protocol]
        return tuple(sorted(found, key=lambda route: (route.destination, route.metric)))

    def add_route(self, route: RouteEntry) -> None:
        """Add a route; HostError where one of that destination and metric is there."""
        self.added.append(self._resolved(route))

    def replace_route(self, was: RouteEntry, route: RouteEntry) -> None:
        """Put a route in place of one of the same destination and metric, without a gap."""
        if was not in self.added:
            raise MovedError(f"cannot replace {name_of(was)}: it is not there")
        place = self.added.index(was)
        del self.added[place]
        try:
            resolved = self._resolved(route)
        except HostError:
            self.added.insert(place, was)
            raise
        self.added.insert(place, resolved)

    def delete_route(self, route: RouteEntry) -> None:
        """Delete exactly this route."""
        if route not in self.added:
            raise MovedError(f"cannot delete {name_of(route)}: it is not there")
        self.added.remove(route)

    def _ends(self, bridge: str) -> tuple[str, ...]:
        ends = (link for link in self.table.values() if link.kind == "veth" and link.up)
        bare = (link.name for link in ends if not link.addresses)
        return tuple(sorted(name for name in bare if self.ports.get(name, "") == bridge))

    def _link(self, name: str, verb: str) -> Link:
        link = self.table.get(name)
        if link is None:
            raise HostError(f"cannot {verb} {name}: there is no such link")
        return link

    def _drop_routes(self, name: str) -> None:
        self.added = [route for route in self.added if route.device != name]

    def _connected(self) -> list[RouteEntry]:
        return [
            RouteEntry(network(address), "", link.name, 0, KERNEL)
            for link in self.table.values()
            if link.up
            for address in primary(link.addresses)
            if not address.endswith("/32")
        ]

    def _resolved(self, route: RouteEntry) -> RouteEntry:
        """Give the route with its device, or raise what the kernel would answer."""
        why = ""
        device = route.device or self._device_to(route.via)
        link = self.table.get(device)
        if str(IPv4Network(route.destination, strict=False)) != route.destination:
            why = "Invalid argument"
        elif any(one.metric == route.metric for one in self.routes(route.destination)):
            why = "File exists"
        elif route.type != "unicast":
            return route
        elif link is None:
            why = "No such device" if route.device else "Network is unreachable"
        elif not link.up:
            why = "Network is down"
        elif route.via and self._device_to(route.via) != device:
            why = "Network is unreachable"
        if why:
            raise HostError(f"cannot add {name_of(route)}: {why}")
        return replace(route, device=device)

    def _device_to(self, via: str) -> str:
        for route in self._connected():
            if via and IPv4Address(via) in IPv4Network(route.destination):
                return route.device
        return ""


def network(address: str) -> str:
    """Give the network of an address with prefix."""
    return str(IPv4Interface(address).network)


def primary(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Give the first address of each network."""
    first: dict[str, str] = {}
    for address in addresses:
        first.setdefault(network(address), address)
    return tuple(first.values())


def name_of(route: RouteEntry) -> str:
    """Give the route in words."""
    return f"the route to {route.destination} via {route.via or 'the link'} dev {route.device}"
