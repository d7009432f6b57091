"""The network of a node: links, addresses, routes, and the packet filter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

Backend = Literal["nft", "legacy"]


@dataclass(frozen=True, slots=True)
class Link:
    """A network link."""

    name: str
    kind: str  # "bridge", "veth", "vxlan" …; "" for a device
    up: bool
    mtu: int
    promiscuous: bool
    addresses: tuple[str, ...]  # IPv4 with prefix, in the kernel's order: "10.10.5.1/24"


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One IPv4 route of the main table."""

    destination: str  # CIDR; "0.0.0.0/0" is the default
    via: str  # gateway, or "" where the destination is on the link
    device: str  # "" where it leads nowhere
    metric: int
    protocol: int  # rtm_protocol; who made it
    type: str = "unicast"  # or "unreachable", "blackhole" … as ip-route(8) calls them


class Links(Protocol):
    """Links, their addresses, and routes. IPv4, main table."""

    def link(self, name: str) -> Link | None:
        """Give the link, or None."""
        ...

    def add_bridge(self, name: str) -> None:
        """Make a bridge; down, without address."""
        ...

    def delete(self, name: str) -> None:
        """Delete a link."""
        ...

    def set_up(self, name: str) -> None:
        """Bring a link up."""
        ...

    def set_mtu(self, name: str, mtu: int) -> None:
        """Set a link's MTU, in bytes."""
        ...

    def set_promiscuous(self, name: str, promiscuous: bool) -> None:
        """Set or clear IFF_PROMISC."""
        ...

    def loose_ends(self) -> tuple[str, ...]:
        """Give the names of the veth links that are up, port of no bridge and without IPv4 address.

        Sorted. A link that has an address is in use as it is: on a bridge it would be deaf.
        """
        ...

    def ends_of(self, bridge: str) -> tuple[str, ...]:
        """Give the names of those that would be loose ends without this bridge. Sorted."""
        ...

    def attach(self, bridge: str, port: str) -> None:
        """Make a link a port of a bridge."""
        ...

    def add_address(self, name: str, address: str) -> None:
        """Add an address with its prefix."""
        ...

    def delete_address(self, name: str, address: str) -> None:
        """Delete an address with its prefix."""
        ...

    def routes(self, destination: str) -> tuple[RouteEntry, ...]:
        """Give the routes to exactly this destination, lowest metric first."""
        ...

    def routes_of(self, protocol: int) -> tuple[RouteEntry, ...]:
        """Give all routes that bear this protocol number, by destination as text, then metric."""
        ...

    def add_route(self, route: RouteEntry) -> None:
        """Add a route; HostError where one of that destination and metric is there."""
        ...

    def replace_route(self, was: RouteEntry, route: RouteEntry) -> None:
        """Put a route in place of one of the same destination and metric, without a gap."""
        ...

    def delete_route(self, route: RouteEntry) -> None:
        """Delete exactly this route."""
        ...


class Rules(Protocol):
    """iptables, by its own text form. One back end is never asked about the other's tables."""

    def save(self, backend: Backend, table: str) -> str | None:
        """Give the table as iptables-save prints it, without counters; None: no iptables here."""
        ...

    def restore(self, backend: Backend, text: str) -> None:
        """Apply one table's text with --noflush, all or nothing, after it passed --test."""
        ...
