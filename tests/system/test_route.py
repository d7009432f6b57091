"""route on the real kernel: the planned changes and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from saltern_states import route
from saltern_states.contract import Blocked
from saltern_states.route import Route

from tests.states.laws import converge, lines, take_back
from tests.system.namespace import run
from tests.system.network_snapshot import IP, NetworkNode, network_node, snapshot

pytestmark = pytest.mark.system

WANT = Route(destination="10.10.7.0/24", via="10.9.0.22", device="eth0")


@pytest.fixture
def node() -> Iterator[NetworkNode]:
    with network_node() as node:
        yield node


def shown(destination: str = "10.10.7.0/24") -> list[str]:
    printed = run(IP, "route", "show", "exact", destination)
    return [" ".join(line.split()) for line in printed.splitlines()]


def test_a_route_comes_and_goes_alone(node: NetworkNode) -> None:
    before = snapshot()

    assert lines(converge(route.KIND, node, WANT)) == [
        "add the route to 10.10.7.0/24 via 10.9.0.22 dev eth0"
    ]
    assert shown() == ["10.10.7.0/24 via 10.9.0.22 dev eth0 proto 83"]
    assert snapshot().routes > before.routes
    assert len(snapshot().routes - before.routes) == 1

    take_back(route.KIND, node, WANT)
    assert snapshot() == before


def test_a_stale_one_of_ours_is_replaced_and_others_stay(node: NetworkNode) -> None:
    run(IP, "route", "add", "10.10.7.0/24", "via", "10.9.0.9", "proto", "83")
    run(IP, "route", "add", "10.10.7.0/24", "via", "10.9.0.8", "proto", "83", "metric", "9")
    run(IP, "route", "add", "10.10.7.0/24", "via", "10.9.0.7", "metric", "20")

    planned = lines(converge(route.KIND, node, WANT))

    assert planned == [
        "replace the route to 10.10.7.0/24 via 10.9.0.9 dev eth0 by via 10.9.0.22 dev eth0",
        "remove the route to 10.10.7.0/24 via 10.9.0.8 dev eth0 metric 9",
    ]
    assert shown() == [
        "10.10.7.0/24 via 10.9.0.22 dev eth0 proto 83",
        "10.10.7.0/24 via 10.9.0.7 dev eth0 metric 20",
    ]


def test_a_default_route_of_ours_beside_anothers(node: NetworkNode) -> None:
    want = Route(destination="0.0.0.0/0", via="10.9.0.22", metric=5)
    before = snapshot()

    converge(route.KIND, node, want)

    assert shown("default") == [
        "default via 10.9.0.1 dev eth0",
        "default via 10.9.0.22 dev eth0 proto 83 metric 5",
    ]
    take_back(route.KIND, node, want)
    assert snapshot() == before


@pytest.mark.parametrize(
    ("bend", "why"),
    [
        (("route", "add", "10.10.7.0/24", "via", "10.9.0.7"), "another program has a route"),
        (("route", "add", "blackhole", "10.10.7.0/24"), "another program has a route"),
        (("link", "set", "eth0", "down"), "eth0 is down"),
        (("link", "del", "eth0"), "no link eth0"),
    ],
)
def test_what_is_in_the_way_is_named_and_left(
    node: NetworkNode, bend: tuple[str, ...], why: str
) -> None:
    run(IP, *bend)
    before = snapshot()

    (blocked,) = converge(route.KIND, node, WANT)

    assert isinstance(blocked, Blocked)
    assert why in blocked.why
    assert snapshot() == before


def test_a_route_that_went_with_its_link_comes_back(node: NetworkNode) -> None:
    converge(route.KIND, node, WANT)
    before = snapshot().links

    run(IP, "link", "set", "eth0", "down")
    run(IP, "link", "set", "eth0", "up")

    assert lines(converge(route.KIND, node, WANT)) == [
        "add the route to 10.10.7.0/24 via 10.9.0.22 dev eth0"
    ]
    assert snapshot().links == before
