"""route: one IPv4 route of the main table, marked as ours by its protocol number.

* Ours are the routes that bear PROTOCOL. One resource speaks for all of ours to its
  destination: another way or another metric to it is stale. Others' routes are never touched;
  one of the same destination and metric is in the way (route_changes.py).
* Of type "unreachable" it ends every attempt at once, with an error and without a packet.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.bridge import Address4
from saltern_states.contract import BY_KERNEL, Blocked, Kind, Spec, Watch, WatchLink, WatchRoute
from saltern_states.ports import Host, Link, RouteEntry
from saltern_states.route_changes import (
    RouteChange,
    apply_route,
    diff_routes,
    in_the_way,
    makes,
    remove_routes,
)

PROTOCOL = 83
"""rtm_protocol of every route that we make: a number that rtnetlink.h gives to nobody."""


class Route(Spec, frozen=True, kw_only=True, tag="route/1"):
    """A route. `via` "": on the link itself; `device` "": the kernel finds it by `via`.

    `type` "unreachable": nothing leads there; without via and device.
    """

    destination: Address4
    via: Annotated[str, Meta(pattern=r"^(([0-9]{1,3}\.){3}[0-9]{1,3})?\Z")] = ""
    device: Annotated[str, Meta(pattern=r"^([a-zA-Z0-9][a-zA-Z0-9._-]{0,14})?\Z")] = ""
    metric: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    type: Literal["unicast", "unreachable"] = "unicast"

    def __post_init__(self) -> None:
        IPv4Network(self.destination)  # refuses one with host bits set, as the kernel does
        if self.via:
            IPv4Address(self.via)
        if self.type == "unreachable" and (self.via or self.device):
            raise ValueError(f"{self.destination} is unreachable: leave via and device out")
        if self.type == "unicast" and not (self.via or self.device):
            raise ValueError(f"cannot route to {self.destination}: give via, device, or both")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has for the destination."""

    routes: tuple[RouteEntry, ...]  # anybody's, lowest metric first
    device: Link | None  # what is wanted to carry it; None where it is missing or not named


def observe(host: Host, want: Route) -> Observed:
    """Read the routes to the destination, and the device that shall carry it."""
    return Observed(
        routes=host.links.routes(want.destination),
        device=host.links.link(want.device) if want.device else None,
    )


def diff(want: Route, have: Observed) -> tuple[RouteChange | Blocked, ...]:
    """Add or replace; say who is in the way."""
    changes = diff_routes(entry(want), have.routes)
    if not makes(changes):
        return changes
    if why := in_the_way(entry(want), have.routes):
        return (Blocked(why, changes),)
    why = _uncarried(want, have)
    return (Blocked(why, changes, BY_KERNEL),) if why else changes


def remove(want: Route, have: Observed) -> tuple[RouteChange | Blocked, ...]:
    """Remove ours to that destination."""
    return remove_routes(have.routes, PROTOCOL)


def claims(want: Route) -> tuple[Claim, ...]:
    """The destination."""
    return (Claim("route", want.destination),)


def watch(want: Route) -> tuple[Watch, ...]:
    """The destination, and the device: the kernel drops its routes without a word."""
    route = WatchRoute(want.destination)
    return (route, WatchLink(want.device)) if want.device else (route,)


def entry(want: Route) -> RouteEntry:
    """Give the route as the table shall have it."""
    return RouteEntry(want.destination, want.via, want.device, want.metric, PROTOCOL, want.type)


def _uncarried(want: Route, have: Observed) -> str:
    """Say why the device cannot carry the route; "" where it can."""
    if want.device and have.device is None:
        return f"there is no link {want.device} to carry the route to {want.destination}"
    if have.device is not None and not have.device.up:
        return f"the link {want.device} is down, so it carries no route to {want.destination}"
    return ""


KIND: Kind[Route, Observed, RouteChange] = Kind(
    spec=Route,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply_route,
    volatile=True,
    example=Route(destination="10.10.7.0/24", via="10.9.0.22", device="eth0"),
)
