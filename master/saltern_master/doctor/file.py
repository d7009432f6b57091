"""Traps of a cluster file that compiles. Pure.

Another trap: a function from Cluster to what it found, in TRAPS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from saltern_states.file import File
from saltern_states.sysctl import Sysctl

from saltern_master.cluster.model import Cluster, Node
from saltern_master.cluster.static_pod import pod_name
from saltern_master.compile.settings import (
    kube_proxy_config,
    kubelet_config,
    own_resources,
    static_pods,
)
from saltern_master.doctor.noted import Noted, noted, together

DOCKER_OWN: Final = IPv4Network("172.17.0.0/16")
"""What docker takes for docker0 where nobody tells it otherwise."""
OWN_RANGE: Final = f"{DOCKER_OWN}, docker's own default range (docker0)"
SITE_PREFIX: Final = 24  # what a site's network is at least, as far as one can guess
MOST_PODS: Final = 110  # the kubelet's default
NOT_FOR_PODS: Final = 3  # of a range: its own address, the bridge's, the broadcast's
FULL: Final = 0.9
NODE_PORTS: Final = (30000, 32767)
CONTROL_PLANE: Final = {
    "the API server": (6443,),
    "etcd": (2379, 2380, 2381),
    "the controller-manager": (10257, 10252),
    "the scheduler": (10259, 10251),
}
DRIVER: Final = re.compile(r"(?:native\.cgroupdriver|--cgroup-driver)[= ]\"?([a-z]+)")
DROP_INS: Final = (
    "/etc/systemd/system/docker.service.d/",
    "/etc/systemd/system/kubelet.service.d/",
)
FORWARDING: Final = ("net.ipv4.conf.all.forwarding", "net.ipv4.conf.default.forwarding")

Trap = Callable[[Cluster], Iterator[Noted]]


def file_traps(cluster: Cluster) -> tuple[Noted, ...]:
    """Give every trap of a cluster file."""
    return together(one for trap in TRAPS.values() for one in trap(cluster))


def _docker_range(cluster: Cluster) -> Iterator[Noted]:
    """A range or a node lies in docker's own default range: a docker that once starts without its
    daemon.json takes 172.17.0.1/16 for docker0, and what lies there is cut off.

    Sources: docker/for-linux#1110, openshift/openshift-ansible PR#3972
    """
    remedy = "take addresses outside of 172.17.0.0/16"
    for key, text in _ranges(cluster):
        if IPv4Network(text).overlaps(DOCKER_OWN):
            what = f"{key}: {text} overlaps {OWN_RANGE}"
            yield noted("docker-range", what, remedy, bad=False)
    for node in cluster.nodes:
        if IPv4Address(node.address) in DOCKER_OWN:
            what = f"the address {node.address} lies in {OWN_RANGE}"
            yield noted("docker-range", what, remedy, node.name, bad=False)


def _near_site(cluster: Cluster) -> Iterator[Noted]:
    """The range of pods or Services begins in the network that a node seems to be on: neighbours
    of that node are then not reached. (An address of a node within it is an error of the file.)

    Sources: Azure/acs-engine#750, kontena/pharos-cluster#1330
    """
    for key, text in _ranges(cluster):
        for node in cluster.nodes:
            site = IPv4Network(f"{node.address}/{SITE_PREFIX}", strict=False)
            if IPv4Network(text).overlaps(site):
                yield noted(
                    "range-near-site",
                    f"{key}: {text} overlaps {site}, the network that the node may be on",
                    f"ip route on the node tells its network; take another range for {key}",
                    node.name,
                    bad=False,
                )


def _too_many_pods(cluster: Cluster) -> Iterator[Noted]:
    """A node may run more pods than its range has addresses: those that are too many never start.

    Sources: KubeletConfiguration (maxPods is 110 where nobody says otherwise)
    """
    room = 2 ** (32 - cluster.network.per_node) - NOT_FOR_PODS
    for node in _with_kubelet(cluster):
        most = kubelet_config(cluster, node).get("maxPods", MOST_PODS)
        if isinstance(most, int) and most > room:
            yield noted(
                "pods-per-node",
                f"{most} pods may run, and network.perNode {cluster.network.per_node} has "
                f"{room} addresses for them",
                f"kubelet.config.maxPods: {room} in a group, or a smaller network.perNode",
                node.name,
            )


def _little_room(cluster: Cluster) -> Iterator[Noted]:
    """Hardly another node finds room in the range of pods, and a range is not changed in a cluster
    that runs.

    Sources: kubernetes/kubernetes#32900, cloudnativelabs/kube-router#689 (a range that changed)
    """
    network = cluster.network
    room = 2 ** (network.per_node - IPv4Network(network.pods).prefixlen)
    nodes = len(_with_kubelet(cluster))
    if nodes > room * FULL:
        yield noted(
            "pods-room",
            f"network.pods: {network.pods} has room for {room} nodes, and there are {nodes}",
            "take a wider network.pods, or a larger network.perNode, before the cluster is there",
            bad=False,
        )


def _dns(cluster: Cluster) -> Iterator[Noted]:
    """Pods are told to ask a name server that is no Service of this cluster, or is the API
    server's own.

    Sources: kubeadm's default (clusterDNS is the tenth address of the Services' range)
    """
    if cluster.control_plane is None:
        return
    services = IPv4Network(cluster.network.services)
    for node in _with_kubelet(cluster):
        told = kubelet_config(cluster, node).get("clusterDNS", [])
        for address in told if isinstance(told, list) else ():
            place = _place_of_dns(str(address), services)
            if place:
                yield noted(
                    "dns-outside",
                    f"kubelet.config.clusterDNS: {address} {place}",
                    f"take an address of network.services, as {services[10]}",
                    node.name,
                )


def _place_of_dns(address: str, services: IPv4Network) -> str:
    try:
        found = IPv4Address(address)
    except ValueError:
        return ""
    if found not in services:
        return f"lies outside of network.services, {services}"
    return "is the API server's own" if found == services[1] else ""


def _ports(cluster: Cluster) -> Iterator[Noted]:
    """Two parts of a node are told to listen on one port: the later one ends at its start.

    Sources: kubeadm's preflight (Port-10250 …), kubernetes PR 85043
    """
    for node in _with_kubelet(cluster):
        taken: dict[int, str] = {}
        for port, who in _listeners(cluster, node):
            other = taken.setdefault(port, who)
            if other != who:
                yield noted(
                    "port-collision",
                    f"{other} and {who} both listen on port {port}",
                    f"give {who} another port",
                    node.name,
                )


def _listeners(cluster: Cluster, node: Node) -> Iterator[tuple[int, str]]:
    if "control-plane" in node.roles:
        yield from ((port, who) for who, ports in CONTROL_PLANE.items() for port in ports)
    kubelet = kubelet_config(cluster, node)
    for key, default in (("port", 10250), ("healthzPort", 10248), ("readOnlyPort", 0)):
        port = kubelet.get(key, default)
        if isinstance(port, int) and port:
            yield port, f"the kubelet ({key})"
    if cluster.control_plane is not None:
        proxy = kube_proxy_config(cluster, node)
        for key, default in (("healthzBindAddress", 10256), ("metricsBindAddress", 10249)):
            port = _port(str(proxy.get(key, "")), default)
            if port:
                yield port, f"kube-proxy ({key})"
    for pod in static_pods(cluster, node):
        yield from ((port, f"the static pod {pod_name(pod)}") for port in _host_ports(pod))


def _host_ports(pod: Mapping[str, object]) -> Iterator[int]:
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    key = "containerPort" if isinstance(spec, dict) and spec.get("hostNetwork") else "hostPort"
    for container in containers if isinstance(containers, list) else ():
        ports = container.get("ports") if isinstance(container, dict) else None
        for port in ports if isinstance(ports, list) else ():
            number = port.get(key) if isinstance(port, dict) else None
            if isinstance(number, int) and port.get("protocol", "TCP") == "TCP":
                yield number


def _port(bound: str, default: int) -> int:
    port = bound.rpartition(":")[2]
    return int(port) if port.isdigit() else default


def _letter_case(cluster: Cluster) -> Iterator[Noted]:
    """Two labels, or two values of one, differ in nothing but capitals: a match means one of them
    and passes the other by.

    Sources: kubespray's assertion on inventory names (small letters alone)
    """
    seen: dict[tuple[str, str], dict[str, list[str]]] = {}
    for node in cluster.nodes:
        for key, value in node.labels.items():
            written = seen.setdefault((key.lower(), value.lower()), {})
            written.setdefault(f"{key}={value}", []).append(node.name)
    for written in seen.values():
        if len(written) > 1:
            yield noted(
                "letter-case",
                f"labels differ in capitals alone: {', '.join(sorted(written))}",
                "write them alike",
                *(name for names in written.values() for name in names),
                bad=False,
            )


def _driver(cluster: Cluster) -> Iterator[Noted]:
    """A file of your own gives docker or the kubelet another cgroup driver than the cluster file:
    the kubelet then ends at its start.

    Sources: kubernetes/kubernetes#43805, kubernetes/kubeadm#639, kubernetes/minikube#6544
    """
    wanted = cluster.runtime.docker.cgroup_driver
    for node in _with_kubelet(cluster):
        for one in own_resources(cluster, node):
            spec = one.resource.spec
            if not isinstance(spec, File) or not spec.path.startswith(DROP_INS):
                continue
            found = DRIVER.search(spec.text)
            if found and found[1] != wanted:
                yield noted(
                    "cgroup-driver",
                    f"{one.resource.id} says {found[0]}, and runtime.docker.cgroupDriver {wanted}",
                    f"say it by runtime.docker.cgroupDriver: {found[1]} alone, which sets both",
                    node.name,
                )


def _sysctls(cluster: Cluster) -> Iterator[Noted]:
    """A parameter of a group undoes what pods need: forwarding, or the NodePorts' own range.

    Sources: kubernetes/kubernetes#40182, kubespray roles/kubernetes/preinstall
    """
    for node in _with_kubelet(cluster):
        specs = (one.resource.spec for one in own_resources(cluster, node))
        values = {spec.key: spec.value for spec in specs if isinstance(spec, Sysctl)}
        for key in FORWARDING:
            if values.get(key) == "0":
                remedy = "take it out: it turns net.ipv4.ip_forward off, which pods need"
                yield noted("forwarding-off", f"sysctls {key} is 0", remedy, node.name)
        words = values.get("net.ipv4.ip_local_port_range", "").split()
        reserved = values.get("net.ipv4.ip_local_reserved_ports")
        numbers = [int(word) for word in words if word.isdigit()]
        if len(numbers) == 2 and not reserved and _meets(numbers[0], numbers[1]):
            yield noted(
                "node-ports",
                f"net.ipv4.ip_local_port_range {' '.join(words)} has the NodePorts in it",
                'net.ipv4.ip_local_reserved_ports: "30000-32767" beside it',
                node.name,
                bad=False,
            )


def _meets(first: int, last: int) -> bool:
    return first <= NODE_PORTS[1] and last >= NODE_PORTS[0]


TRAPS: Final[Mapping[str, Trap]] = {
    "docker-range": _docker_range,
    "range-near-site": _near_site,
    "pods-per-node": _too_many_pods,
    "pods-room": _little_room,
    "dns-outside": _dns,
    "port-collision": _ports,
    "letter-case": _letter_case,
    "cgroup-driver": _driver,
    "forwarding-off, node-ports": _sysctls,
}


def _ranges(cluster: Cluster) -> Iterator[tuple[str, str]]:
    yield "network.pods", cluster.network.pods
    if cluster.control_plane is not None:
        yield "network.services", cluster.network.services


def _with_kubelet(cluster: Cluster) -> tuple[Node, ...]:
    return tuple(node for node in cluster.nodes if not node.is_bare)
