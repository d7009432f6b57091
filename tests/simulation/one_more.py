"""One node more in a large cluster: what that changes on all others, and what it restarts.

The bodies are compiled as for an apply and compared, all of them. What changes in them is planned
by the kind itself on the first node and the last.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from saltern_master.cluster.load import load
from saltern_master.compile.allocation import Allocation
from saltern_master.compile.cluster import Compilation, compile_cluster
from saltern_states.body import Body
from saltern_states.contract import Change
from saltern_states.kinds import kind_of
from saltern_states.pod_routes import PROTOCOL, PodRoute, PodRoutes
from saltern_states.ports import RouteEntry
from saltern_states.testing import FakeHost

from tests.master.clusters import PKI, STOCK

HEAD = """\
apiVersion: saltern/v1
cluster: {name: demo}
kubernetes: {version: 1.20.2}
network: {pods: 10.64.0.0/12, perNode: 25, services: 10.0.0.0/16, mode: routed}
nodes:
- {name: cp1, address: 10.9.255.1, roles: [control-plane, etcd]}
"""


class OneMore(msgspec.Struct, frozen=True, kw_only=True):
    """What one node more came to on those that were there, the most of any of them."""

    size: int  # nodes that were there
    resources: int  # that are declared otherwise
    routes: int  # that come or go
    changes: int  # that are to be made, on the first and on the last
    impacts: tuple[str, ...]  # of these


def one_more(size: int) -> OneMore:
    """Compile a cluster of so many workers, and one with one more; plan the difference."""
    first = _compiled(size, Allocation())
    more = _compiled(size + 1, first.allocation)
    before = {one.node.name: one.body for one in first.nodes}
    after = {one.node.name: one.body for one in more.nodes}
    ends = (min(before), max(before))
    planned = {name: tuple(_planned(before[name], after[name])) for name in ends}
    return OneMore(
        size=len(before),
        resources=max(len(changed(body, after[name])) for name, body in before.items()),
        routes=max(_routes(body, after[name]) for name, body in before.items()),
        changes=max(map(len, planned.values())),
        impacts=tuple(sorted({one.impact.value for made in planned.values() for one in made})),
    )


def changed(before: Body, after: Body) -> frozenset[str]:
    """Give the ids of all resources that are declared otherwise."""
    was = {one.id: one for one in before.resources}
    now = {one.id: one for one in after.resources}
    return frozenset(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))


def _routes(before: Body, after: Body) -> int:
    """Count the routes to pods that come or go."""
    return len(_held(before) ^ _held(after))


def _held(body: Body) -> frozenset[PodRoute]:
    specs = (one.spec for one in body.resources if isinstance(one.spec, PodRoutes))
    return frozenset(
        route for spec in specs if isinstance(spec, PodRoutes) for route in spec.routes
    )


def _planned(before: Body, after: Body) -> Iterator[Change]:
    """Plan what is declared otherwise, on a node that holds what was declared."""
    was = {one.id: one.spec for one in before.resources}
    for one in after.resources:
        if was.get(one.id) == one.spec:
            continue
        host = FakeHost()
        held = was.get(one.id)
        if isinstance(held, PodRoutes):
            _hold(host, held)
        kind = kind_of(one.spec)
        yield from kind.diff(one.spec, kind.observe_for_diff(host, one.spec))


def _hold(host: FakeHost, routes: PodRoutes) -> None:
    """Let a node have these routes, out of its one link."""
    host.links.add("eth0")
    host.links.add_address("eth0", "10.9.128.1/16")
    for one in routes.routes:
        host.links.add_route(RouteEntry(one.destination, one.via, "", 0, PROTOCOL))


def _compiled(size: int, before: Allocation) -> Compilation:
    nodes = (
        f"- {{name: w{at:04}, address: 10.9.{at // 250}.{at % 250 + 1}}}\n" for at in range(size)
    )
    return compile_cluster(load("".join((HEAD, *nodes)).encode()), {}, before, STOCK, PKI)
