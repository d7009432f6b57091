"""A lab's bridge: made, made anew, and removed only where it is this lab's. In namespaces."""

from __future__ import annotations

import os
from collections.abc import Iterator
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from saltern_master.lab import LabError, Network, network

from tests.system.namespace import network_namespace, run

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes network namespaces"),
]
IP = "/usr/sbin/ip"
NET = Network("saltern7", IPv4Network("10.9.7.0/24"))
OURS, THEIRS = "saltern-lab demo 0a1b", "saltern-lab demo 2c3d"


@pytest.fixture(autouse=True)
def _namespace() -> Iterator[None]:
    with network_namespace():
        yield


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    with (tmp_path / "lock").open("w") as held:
        yield held.fileno()


def plug_in() -> None:
    run(IP, "link", "add", "name", "vb-w1", "type", "veth", "peer", "name", "host0")
    run(IP, "link", "set", "dev", "vb-w1", "master", NET.bridge)


def test_what_we_made_we_remove_with_its_wires(lock: int) -> None:
    network.make(NET, OURS, lock)
    network.make(NET, OURS, lock)
    plug_in()
    assert network.remove(NET, OURS, lock) is None
    assert network.links() == ("lo",)
    assert network.remove(NET, OURS, lock) is None


def test_the_bridge_of_another_lab_is_neither_used_nor_removed(lock: int) -> None:
    network.make(NET, THEIRS, lock)
    plug_in()
    before = run(IP, "-json", "address", "show")
    said = network.remove(NET, OURS, lock)
    assert said == (
        f"left the bridge saltern7 alone: it is not this lab's (it is marked '{THEIRS}')"
    )
    with pytest.raises(LabError, match="cannot use the bridge saltern7: it is not this lab's"):
        network.make(NET, OURS, lock)
    assert run(IP, "-json", "address", "show") == before


def test_a_strangers_link_of_that_name_is_left_alone(lock: int) -> None:
    run(IP, "link", "add", "name", NET.bridge, "type", "bridge")
    assert "it is unmarked" in (network.remove(NET, OURS, lock) or "")
    assert NET.bridge in network.links()


def test_a_crash_before_the_mark_leaves_it_ours(lock: int) -> None:
    network.make(NET, OURS, lock)
    run(IP, "link", "set", "dev", NET.bridge, "alias", "")
    network.make(NET, OURS, lock)
    assert network.remove(NET, THEIRS, lock)  # it has its mark again
    run(IP, "link", "set", "dev", NET.bridge, "alias", "")
    assert network.remove(NET, OURS, lock) is None
    assert network.links() == ("lo",)
