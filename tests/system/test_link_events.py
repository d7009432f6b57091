"""Events of links, addresses and routes, from the real kernel in a network namespace."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest
from saltern_agent.host.events.links import LinkSource
from saltern_agent.sources import Events
from saltern_states.contract import Watch, WatchChain, WatchLink, WatchRoute

from tests.agent.waiting import DEADLINE_SECONDS, drain, wait_for
from tests.system.event_namespaces import network_namespace, run

pytestmark = pytest.mark.system

BRIDGE = WatchLink("cbr0")
OTHER = WatchLink("cbr1")
ROUTE = WatchRoute("10.10.7.0/24")
DEFAULT = WatchRoute("0.0.0.0/0")
ALL: frozenset[Watch] = frozenset({BRIDGE, OTHER, ROUTE, DEFAULT})


def ip(command: str) -> None:
    run("/usr/sbin/ip", *command.split())


def settle(wanted: dict[str, str]) -> None:
    """Wait until the kernel has worked off what is to be said of carriers, which it does later."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        links = json.loads(run("/usr/sbin/ip", "-j", "link", "show"))
        states = {link["ifname"]: link["operstate"] for link in links}
        if wanted.items() <= states.items():
            return
        assert time.monotonic() < deadline, states
        time.sleep(0.01)


@pytest.fixture
def source() -> Iterator[LinkSource]:
    with network_namespace():
        ip("link add cbr0 type bridge")
        ip("address add 10.10.5.1/24 dev cbr0")
        ip("link set cbr0 up")
        ip("link add up0 type veth peer name up1")
        ip("address add 192.0.2.1/24 dev up0")
        ip("address add 198.51.100.1/24 dev up0")
        ip("link set up0 up")
        ip("link set up1 up")
        ip("route add 10.10.7.0/24 via 192.0.2.7")
        settle({"up0": "UP", "up1": "UP"})
        source = LinkSource()
        source.set_watches(ALL)
        drain(source)
        yield source
        source.close()


@pytest.mark.parametrize(
    ("damage", "touched"),
    [
        ("link delete cbr0", {BRIDGE}),
        ("link set cbr0 down", {BRIDGE}),
        ("link set cbr0 mtu 1400", {BRIDGE}),
        ("link set cbr0 promisc on", {BRIDGE}),
        ("link add cbr1 type bridge", {OTHER}),
        ("address add 10.10.6.1/24 dev cbr0", {BRIDGE}),
        ("address delete 10.10.5.1/24 dev cbr0", {BRIDGE}),
        ("route delete 10.10.7.0/24", {ROUTE}),
        ("route replace 10.10.7.0/24 via 192.0.2.8", {ROUTE}),
        ("route add 10.10.7.0/24 via 192.0.2.9 metric 9", {ROUTE}),
        ("route add default via 192.0.2.254", {DEFAULT}),
        # The kernel takes the route away with these and sends no word of it.
        ("link delete up0", {ROUTE}),
        ("link set up0 down", {ROUTE}),
        ("address delete 192.0.2.1/24 dev up0", {ROUTE}),
    ],
)
def test_damage_is_told(source: LinkSource, damage: str, touched: set[Watch]) -> None:
    ip(damage)
    assert drain(source) == Events(frozenset(touched))


@pytest.mark.parametrize(
    "harmless",
    [
        "link add other0 type bridge",
        "link set lo down",
        "link show",
        "route show table all",
        "route add 10.10.8.0/24 via 192.0.2.8",
        "route add 10.10.7.0/25 via 192.0.2.8",
        "route add 10.10.7.0/24 via 192.0.2.8 table 77",
        "address add 203.0.113.1/24 dev up0",
    ],
)
def test_what_is_no_damage_is_not_told(source: LinkSource, harmless: str) -> None:
    ip(harmless)
    assert drain(source) == Events()


def test_a_renamed_link_is_told_under_both_names(source: LinkSource) -> None:
    ip("link set cbr0 down")
    drain(source)
    ip("link set cbr0 name cbr1")
    assert drain(source).touched == {BRIDGE, OTHER}
    ip("address add 10.10.6.1/24 dev cbr1")
    assert drain(source).touched == {OTHER}


def test_a_port_that_leaves_a_bridge_is_not_gone(source: LinkSource) -> None:
    source.set_watches(frozenset({WatchLink("up1"), ROUTE}))
    ip("link set up1 master cbr0")
    assert drain(source).touched == {WatchLink("up1")}
    ip("link set up1 nomaster")
    assert drain(source).touched == {WatchLink("up1")}
    ip("address add 203.0.113.1/24 dev up1")
    assert drain(source).touched == {WatchLink("up1")}


def test_a_port_that_left_a_bridge_still_takes_its_routes_with_it(source: LinkSource) -> None:
    ip("link set up0 master cbr0")
    ip("link set up0 nomaster")
    assert ROUTE not in drain(source).touched
    ip("link delete up0")
    # of the bridge, whose carrier went with its port, the kernel may speak at any time after
    assert drain(source).touched - {BRIDGE} == {ROUTE}


def test_every_way_of_a_multipath_route_counts(source: LinkSource) -> None:
    watch = WatchRoute("10.10.9.0/24")
    source.set_watches(frozenset({watch}))
    ip("route add 10.10.9.0/24 nexthop via 10.10.5.9 dev cbr0 nexthop via 192.0.2.9 dev up0")
    assert drain(source).touched == {watch}
    ip("link delete cbr0")
    assert drain(source).touched == {watch}


def test_what_another_source_serves_is_passed_over(source: LinkSource) -> None:
    source.set_watches(frozenset({BRIDGE, WatchChain("nat", ("POSTROUTING",))}))
    ip("route delete 10.10.7.0/24")
    assert drain(source) == Events()
    ip("link delete cbr0")
    assert drain(source).touched == {BRIDGE}


def test_lost_events_are_told_and_names_are_right_after(source: LinkSource) -> None:
    flood = "address add 10.99.0.1/32 dev lo\naddress delete 10.99.0.1/32 dev lo\n" * 20_000
    run("/usr/sbin/ip", "-batch", "-", stdin=flood)
    ip("link add cbr1 type bridge")
    assert wait_for(source, lambda events: events.lost).lost
    drain(source)
    ip("address add 10.10.6.1/24 dev cbr1")
    assert drain(source) == Events(frozenset({OTHER}))
