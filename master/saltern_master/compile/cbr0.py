"""cbr0: the bridge that the pods of a node are on.

It has the first address of the node's pod range, with the range's prefix: docker reads from
that which addresses it may give to containers. Its MTU is the uplink's, so that no packet
that a pod sends is too large for the way out.
"""

from __future__ import annotations

from ipaddress import IPv4Network

from saltern_states.body import Resource
from saltern_states.bridge import Bridge

from saltern_master.compile.node import NodeInput, resource

NAME = "cbr0"
CONTAINERS = "veth*"
"""What docker calls its end of a container's link."""


def cbr0(given: NodeInput, after: str) -> Resource:
    """Give the bridge. `after`: br_netfilter brings the kernel's bridge code with it."""
    spec = Bridge(
        name=NAME, address=first_address(given.pods), mtu=given.facts.pods_mtu, ports=(CONTAINERS,)
    )
    return resource("network", NAME, spec, [after])


def first_address(pods: str) -> str:
    """Give the first address of a range with the range's prefix: 10.10.5.0/24 -> 10.10.5.1/24."""
    network = IPv4Network(pods)
    return f"{network[1]}/{network.prefixlen}"
