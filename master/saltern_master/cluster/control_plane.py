"""Which nodes the control plane and etcd run on, and where the API server answers.

What runs today is one control-plane node with etcd on it; a file that wants more is refused
in words, not taken for less than it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network

from saltern_master.cluster.faults import Path
from saltern_master.cluster.network import is_usable
from saltern_master.cluster.shape import Reading
from saltern_master.cluster.static_pod import pod_name

ENDPOINT: Path = ("cluster", "endpoint")
PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")

Found = Iterator[tuple[Path, str]]


def has_control_plane(reading: Reading) -> bool:
    """Tell whether a node of the file has the role control-plane."""
    return any(True for _ in _with_role(reading, "control-plane"))


def check_control_plane(reading: Reading) -> Found:
    """Give every fault of the roles control-plane and etcd, and of cluster.endpoint."""
    found = tuple(_with_role(reading, "control-plane"))
    if not found:
        yield from _check_alone(reading)
        return
    first = found[0]
    for path in found[1:]:
        text = f"{_name(reading, first)} is the control plane; there is one such node for now"
        yield path, f"{text}, and several are not supported yet"
    for path in _with_role(reading, "etcd"):
        if path[1] != first[1]:
            text = f"etcd runs on the control-plane node, {_name(reading, first)}, for now"
            yield path, f"{text}; members on other nodes are not supported yet"
    for path, pod in reading.at("groups", "*", "kubelet", "staticPods", "*"):
        if pod_name(pod) in PODS:
            text = f'"{pod_name(pod)}" is a pod of the control plane; take another name'
            yield (*path, "metadata", "name"), text
    yield from _check_endpoint(reading)


def _with_role(reading: Reading, wanted: str) -> Iterator[Path]:
    for path, role in reading.at("nodes", "*", "roles", "*"):
        if role == wanted:
            yield path


def _name(reading: Reading, path: Path) -> str:
    return str(reading.found.get((*path[:2], "name"), f"nodes[{path[1]}]"))


def _check_alone(reading: Reading) -> Found:
    needs = "needs a node with the role control-plane"
    for path in _with_role(reading, "etcd"):
        yield path, f"etcd {needs}"
    for path in (ENDPOINT, ("network", "services"), ("network", "mode")):
        if path in reading.found:
            yield path, f"{needs}; the kubelets of this file run on their own"
    for path, _ in reading.at("groups", "*", "kubeProxy"):
        yield path, f"{needs}; the kubelets of this file run on their own"


def _check_endpoint(reading: Reading) -> Found:
    """Refuse an endpoint that cannot lead to the control-plane node.

    What lies between the nodes' addresses is on their network, and no machine of this file
    has it; what lies elsewhere may be a way in that the file does not know.
    """
    endpoint = reading.found.get(ENDPOINT)
    if endpoint is None:
        return
    if not is_usable(IPv4Address(endpoint)):
        yield ENDPOINT, f"{endpoint} is no address that a machine can have on a network"
        return
    nodes = {address: path for path, address in reading.at("nodes", "*", "address")}
    if endpoint in nodes:
        number = nodes[endpoint][1]
        if ("nodes", number) in _bearers(reading):
            return
        name = _name(reading, nodes[endpoint])
        yield ENDPOINT, f"{endpoint} is the address of {name}, which is no control-plane node"
    elif IPv4Address(endpoint) in _span(nodes):
        text = f"{endpoint} is on the nodes' network ({_span(nodes)}) and no node's address"
        yield ENDPOINT, f"{text}; leave it out to take the control-plane node's"


def _bearers(reading: Reading) -> set[Path]:
    return {path[:2] for path in _with_role(reading, "control-plane")}


def _span(addresses: Iterable[str]) -> IPv4Network:
    """Give the smallest range that holds all addresses; 0.0.0.0/32 for none."""
    numbers = [int(IPv4Address(address)) for address in addresses]
    if not numbers:
        return IPv4Network("0.0.0.0/32")
    differing = (min(numbers) ^ max(numbers)).bit_length()
    return IPv4Network((min(numbers), 32 - differing), strict=False)
