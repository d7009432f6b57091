"""Which links and subnets the lab dares to use."""

from ipaddress import IPv4Network

import pytest
from saltern_master.lab import LabError, Network, network

NET = Network("saltern7", IPv4Network("10.9.7.0/24"))
ROUTES = [
    {"dst": "default", "gateway": "192.0.2.1"},
    {"dst": "192.0.2.0/24", "dev": "eth0"},
    {"type": "local", "dst": "127.0.0.1", "table": "local"},
]


def test_routes_tell_which_subnets_are_taken() -> None:
    assert network.subnets_of(ROUTES) == (IPv4Network("127.0.0.1/32"), IPv4Network("192.0.2.0/24"))


def test_a_free_network_passes() -> None:
    network.check_free(NET, ["lo", "eth0"], network.subnets_of(ROUTES))


def test_a_strangers_link_is_left_alone() -> None:
    with pytest.raises(LabError, match="cannot make the bridge saltern7"):
        network.check_free(NET, ["lo", "saltern7"], [])


@pytest.mark.parametrize("taken", ["10.0.0.0/8", "10.9.7.128/25", "10.9.7.1/32"])
def test_a_strangers_subnet_is_left_alone(taken: str) -> None:
    with pytest.raises(LabError, match=r"cannot use 10\.9\.7\.0/24"):
        network.check_free(NET, [], [IPv4Network(taken)])


def test_the_first_network_that_is_free_in_both_is_chosen() -> None:
    chosen = network.free(["saltern1"], [IPv4Network("10.9.2.0/24")])
    assert chosen == Network("saltern3", IPv4Network("10.9.3.0/24"))


def test_the_search_may_start_anywhere_and_goes_round() -> None:
    names = [f"saltern{number}" for number in range(200, 255)]
    assert network.free(names, [], first=200).bridge == "saltern1"
    assert network.free([], [], first=254 * 7 + 9).bridge == "saltern9"


def test_when_all_is_taken_that_is_told() -> None:
    with pytest.raises(LabError, match="cannot find a free subnet"):
        network.free([], [IPv4Network("10.0.0.0/8")])
