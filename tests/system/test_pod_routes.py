"""pod-routes on the real kernel: the planned changes and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from saltern_states import pod_routes, route
from saltern_states.pod_routes import PodRoute, PodRoutes
from saltern_states.route import Route

from tests.states.laws import converge, lines, take_back
from tests.system.namespace import run
from tests.system.network_snapshot import IP, NetworkNode, network_node, snapshot

pytestmark = pytest.mark.system

ONE, TWO = PodRoute("10.10.1.0/24", "10.9.0.21"), PodRoute("10.10.2.0/24", "10.9.0.22")


@pytest.fixture
def node() -> Iterator[NetworkNode]:
    with network_node() as node:
        yield node


def shown() -> list[str]:
    printed = run(IP, "route", "show", "proto", "84")
    return [" ".join(line.split()) for line in printed.splitlines()]


def test_routes_come_with_nodes_and_go_with_them(node: NetworkNode) -> None:
    run(IP, "route", "add", "10.10.9.0/24", "via", "10.9.0.29")
    before = snapshot()

    assert lines(converge(pod_routes.KIND, node, PodRoutes(routes=(ONE,)))) == [
        "add the route to 10.10.1.0/24 via 10.9.0.21"
    ]
    assert lines(converge(pod_routes.KIND, node, PodRoutes(routes=(ONE, TWO)))) == [
        "add the route to 10.10.2.0/24 via 10.9.0.22"
    ]
    assert shown() == [
        "10.10.1.0/24 via 10.9.0.21 dev eth0",
        "10.10.2.0/24 via 10.9.0.22 dev eth0",
    ]
    assert lines(converge(pod_routes.KIND, node, PodRoutes(routes=(TWO,)))) == [
        "remove the route to 10.10.1.0/24 via 10.9.0.21 dev eth0"
    ]

    take_back(pod_routes.KIND, node, PodRoutes(routes=(TWO,)))
    assert snapshot() == before


def test_a_dead_end_comes_and_goes_alone(node: NetworkNode) -> None:
    before = snapshot()
    want = Route(destination="169.254.169.254/32", type="unreachable")

    assert lines(converge(route.KIND, node, want)) == [
        "add the route to 169.254.169.254/32 as unreachable"
    ]
    printed = run(IP, "route", "show", "type", "unreachable").split()
    assert printed == ["unreachable", "169.254.169.254", "proto", "83"]

    take_back(route.KIND, node, want)
    assert snapshot() == before
