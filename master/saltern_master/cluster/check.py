"""What must be true between the parts of a cluster file.

Each check looks at the values that were good by themselves, also those whose neighbours
were not, so that one fault hides no other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address

from saltern_master.cluster.component_config import (
    CONNECTED_KUBELET,
    KUBE_PROXY,
    KUBELET,
    check_config,
)
from saltern_master.cluster.control_plane import check_control_plane, has_control_plane
from saltern_master.cluster.faults import Path, show
from saltern_master.cluster.maintenance import check_maintenance
from saltern_master.cluster.match import RESERVED, does_match
from saltern_master.cluster.network import check_network, is_usable
from saltern_master.cluster.shape import Reading
from saltern_master.cluster.static_pod import check_static_pod, pod_name
from saltern_master.versions import known_minors, minor_of

Found = Iterator[tuple[Path, str]]


def check(reading: Reading) -> Found:
    """Give every fault between the parts, as (path, text)."""
    yield from _check_version(reading)
    yield from _check_twice(reading, "name")
    yield from _check_twice(reading, "address")
    yield from _check_nodes(reading)
    yield from check_network(reading, has_services=has_control_plane(reading))
    yield from check_control_plane(reading)
    yield from _check_runtime(reading)
    yield from _check_groups(reading)
    yield from _check_kubelets(reading)
    yield from _check_names(reading)
    yield from check_maintenance(reading)


def _check_version(reading: Reading) -> Found:
    version = reading.found.get(("kubernetes", "version"))
    if version is not None and minor_of(version) is None:
        known = ", ".join(f"{minor}.x" for minor in known_minors())
        yield ("kubernetes", "version"), f"Kubernetes {version} is not known here; known: {known}"


def _check_twice(reading: Reading, what: str) -> Found:
    first: dict[str, Path] = {}
    for path, value in reading.at("nodes", "*", what):
        if value in first:
            yield path, f"nodes[{first[value][1]}] has the {what} {value} too"
        first.setdefault(value, path)


def _check_nodes(reading: Reading) -> Found:
    if reading.found.get(("nodes",)) == () and not any(reading.at("nodes", "*", "name")):
        yield ("nodes",), "a cluster has at least one node"
    for path, address in reading.at("nodes", "*", "address"):
        if not is_usable(IPv4Address(address)):
            yield path, f"{address} is no address that a machine can have on a network"
    for path, roles in reading.at("nodes", "*", "roles"):
        yield from _check_roles(path, roles)
    for word in RESERVED:
        for path, _ in reading.at("nodes", "*", "labels", word):
            yield path, f'"{word}" means something else in a match; take another key'


def _check_roles(path: Path, roles: Sequence[str]) -> Found:
    if not roles:
        yield path, "a node has at least one role"
    for place, role in enumerate(roles):
        if role in roles[:place]:
            yield (*path, place), f"the node has the role {role} already"
    if "bare" in roles and len(set(roles)) > 1:
        yield path, "a bare node runs nothing of Kubernetes, so it has no other role"


def _check_runtime(reading: Reading) -> Found:
    docker: Path = ("runtime", "docker")
    default = reading.found.get((*docker, "defaultRuntime"), "runc")
    known = [str(path[-1]) for path, _ in reading.at(*map(str, docker), "runtimes", "*")]
    if "runc" in known:
        yield (*docker, "runtimes", "runc"), "docker knows runc by itself; take another name"
    if default not in {"runc", *known}:
        yield (
            (*docker, "defaultRuntime"),
            f'there is no runtime "{default}"; declare it under runtimes',
        )


def _check_groups(reading: Reading) -> Found:
    nodes = {path[1] for path, _ in reading.at("nodes", "*", "name")}
    for path, match in reading.at("groups", "*", "match"):
        if not any(_is_meant(reading, match, index) for index in nodes):
            yield path, f'"{match}" matches no node'


def _is_meant(reading: Reading, match: str, index: str | int) -> bool:
    node: Path = ("nodes", index)
    return does_match(
        match,
        reading.found[(*node, "name")],
        reading.found.get((*node, "roles"), ("worker",)),
        reading.found.get((*node, "labels"), {}),
    )


def _check_kubelets(reading: Reading) -> Found:
    version = minor_of(reading.found.get(("kubernetes", "version"), ""))
    owned = CONNECTED_KUBELET if has_control_plane(reading) else KUBELET
    if version is not None:
        for path, config in reading.at("groups", "*", "kubelet", "config"):
            yield from check_config(config, version.kubelet, owned, "kubelet", path)
        for path, config in reading.at("groups", "*", "kubeProxy", "config"):
            yield from check_config(config, version.kube_proxy, KUBE_PROXY, "kube-proxy", path)
    for path, pod in reading.at("groups", "*", "kubelet", "staticPods", "*"):
        yield from check_static_pod(pod, path)


def _check_names(reading: Reading) -> Found:
    """No node gets two static pods of one name (one file), or two resources of one id."""
    pods = [
        ((*path, "metadata", "name"), pod_name(pod))
        for path, pod in reading.at("groups", "*", "kubelet", "staticPods", "*")
        if pod_name(pod)
    ]
    ids = [*reading.at("resources", "*", "id"), *reading.at("groups", "*", "resources", "*", "id")]
    nodes = [(path[1], name) for path, name in reading.at("nodes", "*", "name")]
    told: set[Path] = set()
    for index, node in nodes:
        for what, named in (("static pod", pods), ("resource", ids)):
            first: dict[str, Path] = {}
            for path, name in named:
                if not _is_given(reading, path, index):
                    continue
                other = first.setdefault(name, path)
                if other != path and path not in told:
                    told.add(path)
                    yield path, f'node {node} has a {what} "{name}" by {show(other)} too'


def _is_given(reading: Reading, path: Path, index: str | int) -> bool:
    """Tell whether what stands at a path, in a group or for all, is for this node."""
    if path[0] != "groups":
        return True
    match = reading.found.get((*path[:2], "match"))
    return match is not None and _is_meant(reading, match, index)
