"""What must be true of the ranges and addresses of a cluster file.

* No two of these may share an address: pods, Services, nodes.
* Services are looked at only where there are some: in a cluster with a control plane, or
  where a person wrote network.services.
* The API server takes /12 at most for Services (cmd/kube-apiserver/app/options of 1.20);
  a /28 has the addresses that a cluster always takes (.1 for kubernetes, .10 for DNS).
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network

from saltern_master.cluster.faults import Path
from saltern_master.cluster.model import SERVICES
from saltern_master.cluster.shape import Reading

PODS: Path = ("network", "pods")
SERVICE_ADDRESSES: Path = ("network", "services")
WIDEST, NARROWEST = 12, 28

Found = Iterator[tuple[Path, str]]


def check_network(reading: Reading, *, has_services: bool) -> Found:
    """Give every fault of the ranges."""
    pods = _range(reading, PODS)
    services = _range(reading, SERVICE_ADDRESSES)
    if services is None and has_services and SERVICE_ADDRESSES not in _faulty(reading):
        services = IPv4Network(SERVICES)
    for path, what in ((PODS, "pods"), (SERVICE_ADDRESSES, "Services")):
        yield from _check_range(reading, path, what)
    for found, path, what in ((pods, PODS, "pods"), (services, SERVICE_ADDRESSES, "services")):
        if found is not None:
            yield from _check_nodes(reading, found, what)
            yield from _check_endpoint(reading, found, path)
    if pods is not None:
        yield from _check_room(reading, pods)
    if services is not None:
        yield from _check_size(services)
    if pods is not None and services is not None and pods.overlaps(services):
        yield SERVICE_ADDRESSES, f"{services} overlaps network.pods, {pods}; take another range"


def is_usable(address: IPv4Address) -> bool:
    """Tell whether a machine or a pod can have an address on a network."""
    return not (
        address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or address.is_unspecified
        or address in IPv4Network("240.0.0.0/4")
    )


def _faulty(reading: Reading) -> set[Path]:
    return {fault.path for fault in reading.faults}


def _range(reading: Reading, path: Path) -> IPv4Network | None:
    text = reading.found.get(path)
    return None if text is None else IPv4Network(text, strict=False)


def _check_range(reading: Reading, path: Path, what: str) -> Found:
    found, text = _range(reading, path), reading.found.get(path)
    if found is None:
        return
    if str(found) != text:
        yield path, f"{text} has bits set beyond its prefix; the range is {found}"
    if not is_usable(found.network_address) or not is_usable(found.broadcast_address):
        yield path, f"{text} is no range that {what} can have addresses from"


def _check_nodes(reading: Reading, found: IPv4Network, what: str) -> Found:
    for where, address in reading.at("nodes", "*", "address"):
        if IPv4Address(address) in found:
            text = f"{address} lies in network.{what}, {found}; nodes stand outside of it"
            yield where, text


def _check_endpoint(reading: Reading, found: IPv4Network, path: Path) -> Found:
    endpoint = reading.found.get(("cluster", "endpoint"))
    if endpoint is not None and IPv4Address(endpoint) in found:
        text = f"{endpoint} lies in {'.'.join(map(str, path))}, {found}; no machine stands there"
        yield ("cluster", "endpoint"), text


def _check_room(reading: Reading, pods: IPv4Network) -> Found:
    per_node = reading.found.get(("network", "perNode"), 24)
    if per_node < pods.prefixlen:
        text = f"a /{per_node} for each node does not fit into {pods}"
        yield ("network", "perNode"), text
        return
    room = 2 ** (per_node - pods.prefixlen)
    nodes = len({path[1] for path in (*reading.found, *_faulty(reading)) if _is_of_node(path)})
    if nodes > room:
        yield PODS, f"{pods} has room for {room} nodes with a /{per_node} each; there are {nodes}"


def _is_of_node(path: Path) -> bool:
    """Tell whether a path leads into a node: one with a fault of its own needs room too."""
    return path[:1] == ("nodes",) and len(path) > 1


def _check_size(services: IPv4Network) -> Found:
    if services.prefixlen > NARROWEST:
        text = f"{services} has {services.num_addresses} addresses; a cluster needs 16 (a /28)"
        yield SERVICE_ADDRESSES, text
    if services.prefixlen < WIDEST:
        yield SERVICE_ADDRESSES, f"{services} is more than the API server takes: a /12 at most"
