"""pod-routes: the IPv4 routes to the pods of all other nodes, as one resource of a node.

* Ours are all routes of the main table that bear PROTOCOL, a number of this kind's own: so what
  leads to a node that is no more is found, and goes, without anybody remembering it. Nobody
  else's route is touched, those of the kind `route` among them.
* A route of another program to one destination is in the way of that one alone.
* The kernel finds the link by the gateway, which is on a network of the node's.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import pairwise
from typing import Annotated

import msgspec
from msgspec import Meta
from saltern_protocol.policy import Claim

from saltern_states.bridge import Address4
from saltern_states.contract import Blocked, Kind, Spec, Watch, WatchRoute
from saltern_states.ports import Host, RouteEntry
from saltern_states.route_changes import (
    RouteChange,
    apply_route,
    diff_routes,
    in_the_way,
    makes,
    remove_routes,
)

PROTOCOL = 84
"""rtm_protocol of the routes to pods: a number that rtnetlink.h gives to nobody."""


class PodRoute(msgspec.Struct, frozen=True, forbid_unknown_fields=True, order=True):
    """The way to one node's pods: their range, and the node's own address."""

    destination: Address4
    via: Annotated[str, Meta(pattern=r"^([0-9]{1,3}\.){3}[0-9]{1,3}\Z")]

    def __post_init__(self) -> None:
        IPv4Network(self.destination)  # refuses one with host bits set, as the kernel does
        IPv4Address(self.via)


class PodRoutes(Spec, frozen=True, kw_only=True, tag="pod-routes/1"):
    """The routes, sorted by destination as text, each destination once."""

    routes: Annotated[tuple[PodRoute, ...], Meta(max_length=4096)]

    def __post_init__(self) -> None:
        for before, after in pairwise(self.routes):
            if before.destination >= after.destination:
                raise ValueError(
                    f"{after.destination} stands after {before.destination}: "
                    "sort the routes by destination, and give each destination once"
                )


@dataclass(frozen=True, slots=True)
class Observed:
    """What the node has."""

    routes: tuple[tuple[RouteEntry, ...], ...]  # anybody's to each destination, in the Spec's order
    ours: tuple[RouteEntry, ...]  # all that bear PROTOCOL, wherever they lead


def observe(host: Host, want: PodRoutes) -> Observed:
    """Read the routes to each destination, and all of ours."""
    return Observed(
        routes=tuple(host.links.routes(one.destination) for one in want.routes),
        ours=host.links.routes_of(PROTOCOL),
    )


def diff(want: PodRoutes, have: Observed) -> tuple[RouteChange | Blocked, ...]:
    """Remove what leads to nobody, and mend each of the others by itself."""
    wanted = {one.destination for one in want.routes}
    stray = [route for route in have.ours if route.destination not in wanted]
    changes: list[RouteChange | Blocked] = [*remove_routes(stray, PROTOCOL)]
    for one, there in zip(want.routes, have.routes, strict=True):
        entry = RouteEntry(one.destination, one.via, "", 0, PROTOCOL)
        mending = diff_routes(entry, there)
        why = in_the_way(entry, there) if makes(mending) else ""
        changes.extend((Blocked(why, mending),) if why else mending)
    return tuple(changes)


def remove(want: PodRoutes, have: Observed) -> tuple[RouteChange | Blocked, ...]:
    """Remove all of ours."""
    return remove_routes(have.ours, PROTOCOL)


def claims(want: PodRoutes) -> tuple[Claim, ...]:
    """Each destination."""
    return tuple(Claim("route", one.destination) for one in want.routes)


def positions(want: PodRoutes) -> tuple[str, ...]:
    """The protocol number: two that call all such routes theirs would remove each other's."""
    return (f"routes of protocol {PROTOCOL}",)


def watch(want: PodRoutes) -> tuple[Watch, ...]:
    """Each destination."""
    return tuple(WatchRoute(one.destination) for one in want.routes)


KIND: Kind[PodRoutes, Observed, RouteChange] = Kind(
    spec=PodRoutes,
    observe=observe,
    diff=diff,
    remove=remove,
    claims=claims,
    positions=positions,
    watch=watch,
    apply=apply_route,
    volatile=True,
    example=PodRoutes(
        routes=(
            PodRoute(destination="10.10.0.0/24", via="10.9.0.11"),
            PodRoute(destination="10.10.2.0/24", via="10.9.0.22"),
        )
    ),
)
