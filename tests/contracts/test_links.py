"""Links, addresses and routes: in memory, and of this kernel in a network namespace."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from saltern_agent.host.netlink import NetlinkLinks
from saltern_states.ports import HostError, Link, Links, MovedError, RouteEntry
from saltern_states.testing.links import KERNEL, FakeLinks

from tests.system.namespace import network_namespace

ADDRESS = "10.10.5.1/24"
OURS = RouteEntry("10.10.7.0/24", "10.10.5.9", "cbr0", 0, 83)


@pytest.fixture(params=["fake", pytest.param("kernel", marks=pytest.mark.system)])
def links(request: pytest.FixtureRequest) -> Iterator[Links]:
    if request.param == "fake":
        yield FakeLinks()
        return
    with network_namespace():
        real = NetlinkLinks()
        yield real
        real.close()


@pytest.fixture
def bridged(links: Links) -> Links:
    """With a bridge that is up and has an address."""
    links.add_bridge("cbr0")
    links.add_address("cbr0", ADDRESS)
    links.set_up("cbr0")
    return links


def addresses(links: Links) -> tuple[str, ...]:
    link = links.link("cbr0")
    assert link is not None
    return link.addresses


def test_a_link_that_is_not_there_is_none(links: Links) -> None:
    assert links.link("cbr0") is None
    assert links.routes("10.10.5.0/24") == ()


def test_a_new_bridge_is_down_and_bare(links: Links) -> None:
    links.add_bridge("cbr0")

    assert links.link("cbr0") == Link("cbr0", "bridge", False, 1500, False, ())


def test_what_is_set_is_what_is_there(links: Links) -> None:
    links.add_bridge("cbr0")
    links.set_mtu("cbr0", 1460)
    links.set_promiscuous("cbr0", True)
    links.add_address("cbr0", ADDRESS)
    links.set_up("cbr0")

    assert links.link("cbr0") == Link("cbr0", "bridge", True, 1460, True, (ADDRESS,))

    links.set_promiscuous("cbr0", False)
    assert links.link("cbr0") == Link("cbr0", "bridge", True, 1460, False, (ADDRESS,))


def test_the_first_address_of_a_network_takes_the_others_with_it(bridged: Links) -> None:
    bridged.add_address("cbr0", "10.10.5.2/24")
    bridged.add_address("cbr0", "10.20.0.1/16")
    bridged.add_address("cbr0", "10.10.5.3/32")
    assert addresses(bridged) == (ADDRESS, "10.20.0.1/16", "10.10.5.3/32", "10.10.5.2/24")

    bridged.delete_address("cbr0", ADDRESS)

    assert addresses(bridged) == ("10.20.0.1/16", "10.10.5.3/32")


def test_a_later_address_goes_alone(bridged: Links) -> None:
    bridged.add_address("cbr0", "10.10.5.2/24")

    bridged.delete_address("cbr0", "10.10.5.2/24")

    assert addresses(bridged) == (ADDRESS,)


def test_an_address_of_a_link_that_is_up_makes_a_route(links: Links) -> None:
    links.add_bridge("cbr0")
    links.add_address("cbr0", ADDRESS)
    assert links.routes("10.10.5.0/24") == ()

    links.set_up("cbr0")

    assert links.routes("10.10.5.0/24") == (RouteEntry("10.10.5.0/24", "", "cbr0", 0, KERNEL),)


def test_routes_come_by_metric(bridged: Links) -> None:
    later = RouteEntry(OURS.destination, "10.10.5.8", "cbr0", 20, 3)
    bridged.add_route(later)
    bridged.add_route(OURS)

    assert bridged.routes(OURS.destination) == (OURS, later)
    assert bridged.routes("10.10.0.0/16") == ()


def test_the_kernel_finds_the_device(bridged: Links) -> None:
    bridged.add_route(RouteEntry(OURS.destination, OURS.via, "", 0, 83))

    assert bridged.routes(OURS.destination) == (OURS,)


def test_a_default_route_and_one_on_the_link(bridged: Links) -> None:
    default = RouteEntry("0.0.0.0/0", "10.10.5.9", "cbr0", 5, 83)
    direct = RouteEntry("10.11.0.0/16", "", "cbr0", 0, 83)
    bridged.add_route(default)
    bridged.add_route(direct)

    assert bridged.routes("0.0.0.0/0") == (default,)
    assert bridged.routes("10.11.0.0/16") == (direct,)


def test_a_route_that_leads_nowhere_outlives_the_links(bridged: Links) -> None:
    dead_end = RouteEntry(OURS.destination, "", "", 0, 83, "unreachable")
    bridged.add_route(OURS)
    bridged.replace_route(OURS, dead_end)
    assert bridged.routes(OURS.destination) == (dead_end,)
    with pytest.raises(MovedError, match="cannot delete"):
        bridged.delete_route(OURS)

    bridged.delete("cbr0")

    assert bridged.routes(OURS.destination) == (dead_end,)
    bridged.delete_route(dead_end)
    assert bridged.routes(OURS.destination) == ()


def test_routes_are_told_by_who_made_them(bridged: Links) -> None:
    first = RouteEntry("10.1.0.0/16", "10.10.5.9", "cbr0", 0, 84)
    second = RouteEntry("10.2.0.0/16", "10.10.5.9", "cbr0", 0, 84)
    later = RouteEntry("10.2.0.0/16", "10.10.5.9", "cbr0", 7, 84)
    assert bridged.routes_of(84) == ()
    for route in (later, OURS, second, first):
        bridged.add_route(route)

    assert bridged.routes_of(84) == (first, second, later)
    assert bridged.routes_of(83) == (OURS,)
    bridged.delete("cbr0")
    assert bridged.routes_of(84) == ()


def test_a_second_route_of_the_same_metric_is_refused(bridged: Links) -> None:
    bridged.add_route(OURS)

    with pytest.raises(HostError, match=r"cannot add the route to 10\.10\.7\.0/24.*File exists"):
        bridged.add_route(RouteEntry(OURS.destination, "10.10.5.8", "cbr0", 0, 3))

    assert bridged.routes(OURS.destination) == (OURS,)


def test_a_route_is_replaced_alone(bridged: Links) -> None:
    other = RouteEntry(OURS.destination, "10.10.5.8", "cbr0", 7, 83)
    better = RouteEntry(OURS.destination, "10.10.5.8", "cbr0", 0, 83)
    bridged.add_route(OURS)
    bridged.add_route(other)

    bridged.replace_route(OURS, better)

    assert bridged.routes(OURS.destination) == (better, other)
    with pytest.raises(MovedError, match="cannot replace"):
        bridged.replace_route(OURS, better)


def test_exactly_one_route_is_deleted(bridged: Links) -> None:
    other = RouteEntry(OURS.destination, OURS.via, "cbr0", 7, 83)
    bridged.add_route(other)
    with pytest.raises(MovedError, match="cannot delete"):
        bridged.delete_route(OURS)  # metric 0, which the kernel takes for "any"
    bridged.add_route(OURS)

    bridged.delete_route(OURS)

    assert bridged.routes(OURS.destination) == (other,)


def test_routes_go_with_their_link(bridged: Links) -> None:
    bridged.add_route(OURS)
    assert bridged.routes(OURS.destination) == (OURS,)

    bridged.delete("cbr0")

    assert bridged.link("cbr0") is None
    assert bridged.routes(OURS.destination) == ()
    assert bridged.routes("10.10.5.0/24") == ()


def test_routes_go_with_the_last_address(bridged: Links) -> None:
    direct = RouteEntry("10.11.0.0/16", "", "cbr0", 0, 83)
    bridged.add_route(direct)
    bridged.add_address("cbr0", "10.20.0.1/16")
    bridged.delete_address("cbr0", ADDRESS)
    assert bridged.routes("10.11.0.0/16") == (direct,)

    bridged.delete_address("cbr0", "10.20.0.1/16")

    assert bridged.routes("10.11.0.0/16") == ()


@pytest.mark.parametrize(
    "route",
    [
        RouteEntry("10.11.0.0/16", "", "nolink", 0, 83),
        RouteEntry("10.11.0.0/16", "192.0.2.1", "cbr0", 0, 83),
        RouteEntry("10.11.0.0/16", "192.0.2.1", "", 0, 83),
        RouteEntry("10.11.0.1/16", "10.10.5.9", "cbr0", 0, 83),
        RouteEntry("10.11.0.0/16", "10.30.0.9", "down0", 0, 83),
    ],
)
def test_a_route_that_cannot_be_is_refused(bridged: Links, route: RouteEntry) -> None:
    bridged.add_bridge("down0")
    bridged.add_address("down0", "10.30.0.1/24")

    with pytest.raises(HostError, match=r"^cannot add the route to 10\.11\.0\.[01]/16"):
        bridged.add_route(route)

    assert bridged.routes("10.11.0.0/16") == ()


def test_refusals_name_the_link(bridged: Links) -> None:
    with pytest.raises(HostError, match="cannot make the bridge cbr0"):
        bridged.add_bridge("cbr0")
    with pytest.raises(HostError, match=rf"cannot add {ADDRESS} to cbr0"):
        bridged.add_address("cbr0", ADDRESS)
    with pytest.raises(MovedError, match=r"cannot delete 10\.9\.9\.9/24 from cbr0"):
        bridged.delete_address("cbr0", "10.9.9.9/24")
    with pytest.raises(HostError, match="cannot set the MTU of cbr0 to 67"):
        bridged.set_mtu("cbr0", 67)
    for change in (bridged.delete, bridged.set_up):
        with pytest.raises(HostError, match=r"^cannot .*nolink"):
            change("nolink")
    with pytest.raises(HostError, match=r"^cannot .*nolink"):
        bridged.add_address("nolink", ADDRESS)


def test_a_veth_that_lost_its_bridge_is_a_loose_end(bridged: Links) -> None:
    put_veth(bridged, "veth0123456")
    assert bridged.loose_ends() == ("veth0123456",)

    assert bridged.ends_of("cbr0") == ()

    bridged.attach("cbr0", "veth0123456")
    assert bridged.loose_ends() == ()
    assert bridged.ends_of("cbr0") == ("veth0123456",)

    bridged.delete("cbr0")
    assert bridged.loose_ends() == ("veth0123456",)


def test_a_veth_that_has_an_address_is_no_loose_end(bridged: Links) -> None:
    put_veth(bridged, "veth0123456")
    bridged.add_address("veth0123456", "10.30.0.1/24")
    assert bridged.loose_ends() == ()

    bridged.delete_address("veth0123456", "10.30.0.1/24")
    assert bridged.loose_ends() == ("veth0123456",)


def test_what_is_no_bridge_has_no_ports(bridged: Links) -> None:
    put_veth(bridged, "veth0123456")

    with pytest.raises(HostError, match="cannot make cbr0 a port of veth0123456"):
        bridged.attach("veth0123456", "cbr0")


def put_veth(links: Links, name: str) -> None:
    """Put a container's link there, up; its other end stays down."""
    if isinstance(links, FakeLinks):
        links.add(name, "veth")
        return
    ip = "/usr/sbin/ip"
    subprocess.run([ip, "link", "add", name, "type", "veth", "peer", "inside"], check=True)
    subprocess.run([ip, "link", "set", name, "up"], check=True)
