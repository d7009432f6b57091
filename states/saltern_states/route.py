"""route: one IPv4 route of the main table, marked as ours by its protocol number.

* Ours are the routes that bear PROTOCOL. One resource speaks for all of ours to its
  destination: another way or another metric to it is stale. Others' routes are never touched;
  one of the same destination and metric is in the way.
* A stale route of the same metric is replaced without a gap; one of another metric goes
  after the right one has come.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated

from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.bridge import Address4
from saltern_states.contract import Blocked, Change, Kind, Spec, Watch, WatchLink, WatchRoute
from saltern_states.ports import Host, Link, RouteEntry

PROTOCOL = 83
"""rtm_protocol of every route that we make: a number that rtnetlink.h gives to nobody."""


class Route(Spec, frozen=True, kw_only=True, tag="route/1"):
    """A route. `via` "": on the link itself; `device` "": the kernel finds it by `via`."""

    destination: Address4
    via: Annotated[str, Meta(pattern=r"^(([0-9]{1,3}\.){3}[0-9]{1,3})?\Z")] = ""
    device: Annotated[str, Meta(pattern=r"^([a-zA-Z0-9][a-zA-Z0-9._-]{0,14})?\Z")] = ""
    metric: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0

    def __post_init__(self) -> None:
        IPv4Network(self.destination)  # refuses one with host bits set, as the kernel does
        if self.via:
            IPv4Address(self.via)
        if not self.via and not self.device:
            raise ValueError(f"cannot route to {self.destination}: give via, device, or both")


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has for the destination."""

    routes: tuple[RouteEntry, ...]  # anybody's, lowest metric first
    device: Link | None  # what is wanted to carry it; None where it is missing or not named


class AddRoute(Change, frozen=True, kw_only=True, tag="add-route"):
    """Add a route where none of that destination and metric is."""

    route: RouteEntry

    def __str__(self) -> str:
        return f"add the route to {described(self.route)}"


class ReplaceRoute(Change, frozen=True, kw_only=True, tag="replace-route"):
    """Put a route in place of one of ours to the same destination with the same metric."""

    was: RouteEntry
    route: RouteEntry

    def __str__(self) -> str:
        return f"replace the route to {described(self.was)} by {_way(self.route)}"


class RemoveRoute(Change, frozen=True, kw_only=True, tag="remove-route"):
    """Remove a route of ours."""

    was: RouteEntry

    def __str__(self) -> str:
        return f"remove the route to {described(self.was)}"


RouteChange = AddRoute | ReplaceRoute | RemoveRoute


def observe(host: Host, want: Route) -> Observed:
    """Read the routes to the destination, and the device that shall carry it."""
    return Observed(
        routes=host.links.routes(want.destination),
        device=host.links.link(want.device) if want.device else None,
    )


def diff(want: Route, have: Observed) -> tuple[RouteChange | Blocked, ...]:
    """Add or replace; say who is in the way."""
    changes = _changes(want, have.routes)
    if not any(isinstance(change, AddRoute | ReplaceRoute) for change in changes):
        return changes
    why = _hindrance(want, have)
    return (Blocked(why, changes),) if why else changes


def remove(want: Route, have: Observed) -> tuple[RouteChange | Blocked, ...]:
    """Remove ours to that destination."""
    ours = (route for route in have.routes if route.protocol == PROTOCOL)
    return tuple(RemoveRoute(was=route) for route in ours)


def claims(want: Route) -> tuple[Claim, ...]:
    """The destination."""
    return (Claim("route", want.destination),)


def watch(want: Route) -> tuple[Watch, ...]:
    """The destination, and the device: the kernel drops its routes without a word."""
    route = WatchRoute(want.destination)
    return (route, WatchLink(want.device)) if want.device else (route,)


def apply(host: Host, change: RouteChange) -> None:
    """Make one change; the kernel itself refuses where the table has moved."""
    if isinstance(change, AddRoute):
        host.links.add_route(change.route)
    elif isinstance(change, ReplaceRoute):
        host.links.replace_route(change.was, change.route)
    else:
        host.links.delete_route(change.was)


def described(route: RouteEntry) -> str:
    """Give a route in words, from its destination on."""
    metric = f" metric {route.metric}" if route.metric else ""
    return f"{route.destination} {_way(route)}{metric}"


def _changes(want: Route, routes: tuple[RouteEntry, ...]) -> tuple[RouteChange, ...]:
    entry = RouteEntry(want.destination, want.via, want.device, want.metric, PROTOCOL)
    ours = [route for route in routes if route.protocol == PROTOCOL]
    right = next((route for route in ours if _is(route, want)), None)
    stale = [route for route in ours if route != right]
    changes: list[RouteChange] = []
    if right is None:
        same = next((route for route in stale if route.metric == want.metric), None)
        if same is not None:
            stale.remove(same)
            changes.append(ReplaceRoute(was=same, route=entry))
        else:
            changes.append(AddRoute(route=entry))
    return (*changes, *(RemoveRoute(was=route) for route in stale))


def _is(route: RouteEntry, want: Route) -> bool:
    return (route.via, route.metric) == (want.via, want.metric) and (
        want.device in ("", route.device)
    )


def _hindrance(want: Route, have: Observed) -> str:
    """Say what keeps the route from being made; "" where nothing does."""
    for route in have.routes:
        if route.protocol != PROTOCOL and route.metric == want.metric:
            return (
                f"another program has a route to {described(route)} (protocol {route.protocol}); "
                "take it away, or choose another metric"
            )
    if want.device and have.device is None:
        return f"there is no link {want.device} to carry the route to {want.destination}"
    if have.device is not None and not have.device.up:
        return f"the link {want.device} is down, so it carries no route to {want.destination}"
    return ""


def _way(route: RouteEntry) -> str:
    via = f"via {route.via}" if route.via else "on the link"
    return f"{via} dev {route.device}" if route.device else via


KIND: Kind[Route, Observed, RouteChange] = Kind(
    spec=Route,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    watch=watch,
    apply=apply,
    volatile=True,
    example=Route(destination="10.10.7.0/24", via="10.9.0.22", device="eth0"),
)
