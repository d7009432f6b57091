"""The changes of routes, and what the kinds that hold routes share: a helper, not a kind.

* Ours are told from others' by their protocol number. Others' routes are never touched; one of
  the same destination and metric is in the way.
* A stale route of the same metric is replaced without a gap; one of another metric goes
  after the right one has come.
"""

from __future__ import annotations

from collections.abc import Sequence

from saltern_states.contract import Change
from saltern_states.ports import Host, RouteEntry


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
        return f"replace the route to {described(self.was)} by {way(self.route)}"


class RemoveRoute(Change, frozen=True, kw_only=True, tag="remove-route"):
    """Remove a route of ours."""

    was: RouteEntry

    def __str__(self) -> str:
        return f"remove the route to {described(self.was)}"


RouteChange = AddRoute | ReplaceRoute | RemoveRoute


def diff_routes(want: RouteEntry, have: Sequence[RouteEntry]) -> tuple[RouteChange, ...]:
    """Give what makes `want` the one route of its protocol among those to its destination.

    A device of `want` that is "" is whichever the kernel chose.
    """
    ours = [route for route in have if route.protocol == want.protocol]
    right = next((route for route in ours if _is(route, want)), None)
    stale = [route for route in ours if route != right]
    changes: list[RouteChange] = []
    if right is None:
        same = next((route for route in stale if route.metric == want.metric), None)
        if same is not None:
            stale.remove(same)
            changes.append(ReplaceRoute(was=same, route=want))
        else:
            changes.append(AddRoute(route=want))
    return (*changes, *remove_routes(stale, want.protocol))


def remove_routes(have: Sequence[RouteEntry], protocol: int) -> tuple[RouteChange, ...]:
    """Remove those that bear the protocol number."""
    return tuple(RemoveRoute(was=route) for route in have if route.protocol == protocol)


def in_the_way(want: RouteEntry, have: Sequence[RouteEntry]) -> str:
    """Say whose route keeps `want` from being made; "" where none does."""
    for route in have:
        if route.protocol != want.protocol and route.metric == want.metric:
            return (
                f"another program has a route to {described(route)} (protocol {route.protocol}); "
                "take it away, or choose another metric"
            )
    return ""


def makes(changes: Sequence[Change]) -> bool:
    """Tell whether any of the changes makes a route."""
    return any(isinstance(change, AddRoute | ReplaceRoute) for change in changes)


def apply_route(host: Host, change: RouteChange) -> None:
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
    return f"{route.destination} {way(route)}{metric}"


def way(route: RouteEntry) -> str:
    """Give in words where a route leads."""
    if route.type != "unicast":
        return f"as {route.type}"
    via = f"via {route.via}" if route.via else "on the link"
    return f"{via} dev {route.device}" if route.device else via


def _is(route: RouteEntry, want: RouteEntry) -> bool:
    return (route.type, route.via, route.metric) == (want.type, want.via, want.metric) and (
        want.device in ("", route.device)
    )
