"""Names and addresses: what people write, and what they get when they write nothing."""

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.lab import LabError, Network, Node, layout

NET = Network("saltern7", IPv4Network("10.9.7.0/24"))
SMALL = Network("saltern8", IPv4Network("10.9.8.0/28"))


def addresses(nodes: tuple[Node, ...]) -> dict[str, str]:
    return {node.name: str(node.address) for node in nodes}


@pytest.mark.parametrize(
    ("wanted", "network", "expected"),
    [
        pytest.param(["cp1", "w1"], NET, {"cp1": "10.9.7.11", "w1": "10.9.7.21"}, id="numbered"),
        pytest.param(["w9", "w10"], NET, {"w9": "10.9.7.29", "w10": "10.9.7.101"}, id="two digits"),
        pytest.param(["a", "b"], NET, {"a": "10.9.7.101", "b": "10.9.7.102"}, id="other names"),
        pytest.param(
            ["a=10.9.7.21", "w1"],
            NET,
            {"a": "10.9.7.21", "w1": "10.9.7.101"},
            id="preferred is taken",
        ),
        pytest.param(["w1", "w2"], SMALL, {"w1": "10.9.8.2", "w2": "10.9.8.3"}, id="small subnet"),
    ],
)
def test_addresses(wanted: list[str], network: Network, expected: dict[str, str]) -> None:
    assert addresses(layout.nodes(wanted, network)) == expected


def test_nodes_that_are_there_keep_their_address_and_come_first() -> None:
    there = (Node("w1", IPv4Address("10.9.7.99")),)
    assert addresses(layout.nodes(["w2", "w1"], NET, there)) == {
        "w1": "10.9.7.99",
        "w2": "10.9.7.22",
    }


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        pytest.param(["W1"], "cannot use the name 'W1'", id="capital"),
        pytest.param(["w1\n"], r"cannot use the name 'w1\\n'", id="line end"),
        pytest.param(["../w1"], "cannot use the name", id="path"),
        pytest.param(["a" * 21], "cannot use the name", id="too long"),
        pytest.param(["w1", "w1"], "the node w1 twice", id="twice"),
        pytest.param(["w1=10.9.7"], "cannot give w1 the address '10.9.7'", id="no address"),
        pytest.param(["w1=10.9.9.1"], "not a host of 10.9.7.0/24", id="outside"),
        pytest.param(["w1=10.9.7.255"], "not a host of", id="broadcast"),
        pytest.param(["w1=10.9.7.1"], "it is taken", id="the host's"),
        pytest.param(["w1=10.9.7.5", "w2=10.9.7.5"], "it is taken", id="another's"),
    ],
)
def test_what_is_refused(wanted: list[str], says: str) -> None:
    with pytest.raises(LabError, match=says):
        layout.nodes(wanted, NET)


def test_a_node_cannot_move() -> None:
    there = (Node("w1", IPv4Address("10.9.7.99")),)
    with pytest.raises(LabError, match=r"it is up with 10\.9\.7\.99"):
        layout.nodes(["w1=10.9.7.98"], NET, there)


def test_a_full_subnet_is_told() -> None:
    with pytest.raises(LabError, match=r"10\.9\.8\.0/28 is full"):
        layout.nodes([f"n{number}" for number in range(14)], SMALL)


@given(st.lists(st.from_regex(r"\A(cp|w|n)[0-9]{1,2}\Z"), unique=True, max_size=60))
def test_no_two_nodes_share_an_address(wanted: list[str]) -> None:
    found = [node.address for node in layout.nodes(wanted, NET)]
    assert len(set(found)) == len(wanted)
    assert NET.host not in found
    assert all(address in NET.subnet for address in found)


@pytest.mark.parametrize(
    ("bridge", "subnet"),
    [
        ("a" * 16, "10.0.0.0/24"),
        ("br 0", "10.0.0.0/24"),
        ("", "10.0.0.0/24"),
        ("br0", "10.0.0.0/30"),
    ],
)
def test_networks_that_cannot_be(bridge: str, subnet: str) -> None:
    with pytest.raises(LabError):
        Network(bridge, IPv4Network(subnet))


def test_everything_of_a_node_is_in_its_folder() -> None:
    place = layout.Place("demo", "w1", Path("/s"))
    assert place.root == Path("/s/demo/nodes/w1/root")
    assert place.real("docker") == Path("/s/demo/nodes/w1/data/docker")
    assert place.machine == "saltern-demo-w1"
