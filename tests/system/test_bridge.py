"""bridge and absent-link on the real kernel: the planned changes and no others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from saltern_states import absent_link, bridge
from saltern_states.absent_link import AbsentLink
from saltern_states.bridge import Bridge
from saltern_states.contract import Blocked

from tests.states.laws import converge, lines, take_back
from tests.system.namespace import run
from tests.system.network_snapshot import IP, NetworkNode, network_node, snapshot

pytestmark = pytest.mark.system

WANT = Bridge(name="cbr0", address="10.10.5.1/24", mtu=1460)


@pytest.fixture
def node() -> Iterator[NetworkNode]:
    with network_node() as node:
        yield node


def test_a_bridge_is_made_and_nothing_else(node: NetworkNode) -> None:
    before = snapshot()

    assert lines(converge(bridge.KIND, node, WANT)) == [
        "make the bridge cbr0 with 10.10.5.1/24, MTU 1460, up"
    ]

    after = snapshot()
    made = {"kind": "bridge", "flags": ["UP"], "mtu": 1460, "addresses": ["10.10.5.1/24"]}
    assert after.links == before.links | {"cbr0": made}
    assert before.routes < after.routes
    assert all('"dev": "cbr0"' in line for line in after.routes - before.routes)
    assert after.rules == before.rules

    take_back(bridge.KIND, node, WANT)
    assert snapshot() == before


def test_a_bent_bridge_is_mended_in_place(node: NetworkNode) -> None:
    converge(bridge.KIND, node, WANT)
    before = snapshot()
    number = run(IP, "-o", "link", "show", "cbr0").split(":")[0]
    for bend in (
        ("link", "set", "cbr0", "mtu", "1400", "promisc", "on"),
        ("addr", "add", "10.10.6.1/24", "dev", "cbr0"),
        ("addr", "add", "10.10.5.2/24", "dev", "cbr0"),
        ("link", "set", "cbr0", "down"),
    ):
        run(IP, *bend)

    assert lines(converge(bridge.KIND, node, WANT)) == [
        "set the MTU of cbr0 to 1460 (was 1400)",
        "make cbr0 no longer promiscuous",
        "delete 10.10.5.2/24 from cbr0",
        "delete 10.10.6.1/24 from cbr0",
        "bring up cbr0",
    ]

    assert snapshot() == before
    assert run(IP, "-o", "link", "show", "cbr0").split(":")[0] == number


@pytest.mark.parametrize("promote", ["0", "1"])
def test_an_address_behind_a_stale_one_of_its_network(node: NetworkNode, promote: str) -> None:
    run("/usr/sbin/sysctl", "-q", "-w", f"net.ipv4.conf.all.promote_secondaries={promote}")
    run(IP, "link", "add", "cbr0", "type", "bridge")
    for address in ("10.10.5.9/24", "10.10.5.8/24", "10.10.5.1/24"):
        run(IP, "addr", "add", address, "dev", "cbr0")

    planned = lines(converge(bridge.KIND, node, WANT))

    assert planned[1:] == [
        "delete 10.10.5.1/24 from cbr0",
        "delete 10.10.5.8/24 from cbr0",
        "delete 10.10.5.9/24 from cbr0",
        "add 10.10.5.1/24 to cbr0",
        "bring up cbr0",
    ]
    assert snapshot().links["cbr0"]["addresses"] == ["10.10.5.1/24"]


def test_a_new_network_leaves_the_bridges_other_routes(node: NetworkNode) -> None:
    converge(bridge.KIND, node, WANT)
    run(IP, "route", "add", "10.77.0.0/16", "dev", "cbr0", "proto", "83")

    planned = converge(bridge.KIND, node, Bridge(name="cbr0", address="10.11.0.1/24", mtu=1460))

    assert lines(planned) == ["add 10.11.0.1/24 to cbr0", "delete 10.10.5.1/24 from cbr0"]
    assert any('"dst": "10.77.0.0/16"' in line for line in snapshot().routes)


def test_a_link_that_is_no_bridge_is_in_the_way(node: NetworkNode) -> None:
    before = snapshot()

    (blocked,) = converge(bridge.KIND, node, Bridge(name="peer0", address="10.10.5.1/24"))

    assert isinstance(blocked, Blocked)
    assert "peer0 is a veth" in blocked.why
    assert snapshot() == before


def test_an_unwanted_link_goes_with_what_hangs_on_it(node: NetworkNode) -> None:
    before = snapshot()
    run(IP, "link", "add", "docker0", "type", "bridge")
    run(IP, "addr", "add", "172.17.0.1/16", "dev", "docker0")
    run(IP, "link", "set", "docker0", "up")

    planned = converge(absent_link.KIND, node, AbsentLink(name="docker0"))

    assert lines(planned) == ["delete the bridge docker0"]
    assert snapshot() == before


def test_a_device_stays(node: NetworkNode) -> None:
    before = snapshot()

    (blocked,) = converge(absent_link.KIND, node, AbsentLink(name="lo"))

    assert isinstance(blocked, Blocked)
    assert snapshot() == before
