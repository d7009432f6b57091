"""Which range of pod addresses each node has: cut from network.pods, recorded, stable.

* A node that has a range keeps it, whoever comes or goes.
* The range of a node that left is held for it, and given to another only when no other is free.
* A recorded range that the cluster file no longer allows (another network.pods or perNode)
  is forgotten: its node gets a new one.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network

import msgspec

from saltern_master.cluster.model import Cidr


class Allocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ranges by node's name."""

    ranges: dict[str, Cidr] = {}


def allocate(pods: str, per_node: int, names: Iterable[str], before: Allocation) -> Allocation:
    """Give every node a range. There must be room: the cluster file was checked for that."""
    network = IPv4Network(pods)
    ranges = _still_good(network, per_node, before)
    wanted = tuple(names)
    taken = set(ranges.values())
    free = (str(one) for one in network.subnets(new_prefix=per_node) if str(one) not in taken)
    for name in wanted:
        if name not in ranges:
            ranges[name] = next(free, "") or _take_over(ranges, wanted)
    return Allocation({name: ranges[name] for name in sorted(ranges)})


def _still_good(network: IPv4Network, per_node: int, before: Allocation) -> dict[str, str]:
    good: dict[str, str] = {}
    for name, text in sorted(before.ranges.items()):
        one = IPv4Network(text, strict=False)
        fits = str(one) == text and one.prefixlen == per_node and one.subnet_of(network)
        if fits and text not in good.values():
            good[name] = text
    return good


def _take_over(ranges: dict[str, str], wanted: tuple[str, ...]) -> str:
    left = next(name for name in ranges if name not in wanted)
    return ranges.pop(left)
