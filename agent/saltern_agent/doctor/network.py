"""Traps of ranges, addresses and links. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Interface, IPv4Network
from typing import Final

from saltern_states.ports import Link, RouteEntry

from saltern_agent.doctor.surroundings import Surroundings
from saltern_agent.doctor.trap import Find, Found, Trap, listed

DEFAULT: Final = "0.0.0.0/0"
KERNEL: Final = 2  # RTPROT_KERNEL: the route of an address of the node's own
DOCKERS: Final = re.compile(r"docker0\Z|br-[0-9a-f]{12}\Z")
LEFT_OVERS: Final = frozenset({"cbr0", "cni0", "kube-bridge", "flannel.1", "weave", "lbr0"})
"""Links that a cluster makes, and leaves when it is taken away by hand."""


def _range_overlap(seen: Surroundings) -> Iterator[Found]:
    """The range of pods or of Services is also the site's: an address or a route of the node lies
    in it, so packets go where nobody meant them to, up to the loss of the machine's own access.

    Sources: Azure/acs-engine#750, kontena/pharos-cluster#1330
    """
    for what, key, text in _ranges(seen):
        ours = IPv4Network(text)
        remedy = f"take another range for {key} in the cluster file, or another one for the site"
        for link, address in _addresses(seen):
            if address.network.overlaps(ours) and not _is_of_cluster(seen, link):
                yield Found(
                    f"{what} {text} overlaps the network {address.network} of {link.name}", remedy
                )
        for route in seen.routes:
            yield from _beneath(seen, route, ours, what, remedy)


def _beneath(
    seen: Surroundings, route: RouteEntry, ours: IPv4Network, what: str, remedy: str
) -> Iterator[Found]:
    """A route of the site: one that is inside is taken before ours; a wider one is hidden."""
    declared = seen.declared
    theirs = IPv4Network(route.destination, strict=False)
    known = route.destination == DEFAULT or route.destination in declared.destinations
    made = route.protocol == KERNEL or route.device in declared.bridges
    external = declared.kubernetes and not declared.routed and what == "the range of pods"
    if known or made or external or not theirs.overlaps(ours):
        return
    way = f"via {route.via}" if route.via else f"on {route.device or 'nothing'}"
    told = f"{what} {ours} overlaps the route to {theirs} {way}"
    inside = theirs.subnet_of(ours)
    why = "" if inside else ": machines of the site in that part are not reached from here"
    yield Found(told + why, remedy, bad=inside)


def _docker_range(seen: Surroundings) -> Iterator[Found]:
    """A bridge that docker made on its own has a range that is also the site's, the pods' or the
    Services', or holds the gateway: docker chooses 172.17.0.0/16 without asking.

    Sources: docker/for-linux#1110, openshift/openshift-ansible PR#3972
    """
    for link, address in _addresses(seen):
        if not DOCKERS.match(link.name) or link.name in seen.declared.bridges:
            continue
        against = [
            *(f"{what} {text}" for what, _, text in _ranges(seen) if _meet(address, text)),
            *(
                f"{other.network} of {one.name}"
                for one, other in _addresses(seen)
                if one.name != link.name and other.network.overlaps(address.network)
            ),
            *(
                f"the gateway {route.via}"
                for route in seen.routes
                if route.destination == DEFAULT and route.via and _holds(address, route.via)
            ),
            *(
                f"the route to {route.destination}"
                for route in seen.routes
                if route.protocol != KERNEL
                and route.destination != DEFAULT
                and _meet(address, route.destination)
            ),
        ]
        if against:
            yield Found(
                f"{link.name} has {address}, which collides with {listed(against)}",
                f"ip link delete {link.name}, and keep docker from making it again: Saltern has "
                "docker use cbr0; elsewhere give bip or default-address-pools in "
                "/etc/docker/daemon.json",
            )


def _stale_bridge(seen: Surroundings) -> Iterator[Found]:
    """A bridge, or another link of an older cluster, stands there with an address of its own: new
    pods get addresses that nobody routes.

    Where the body declares the bridge it also holds its address, so only others are told.

    Sources: kubernetes/kubernetes#32900, cloudnativelabs/kube-router#689
    """
    for link in seen.links:
        left = link.name in LEFT_OVERS and link.name not in seen.declared.bridges
        if left and link.addresses:
            yield Found(
                f"{link.name} is left from an older cluster, with {listed(list(link.addresses))}",
                f"ip link delete {link.name}"
                + ("" if seen.declared.there else "; Saltern mends cbr0 itself once it holds it"),
                bad=link.name != "cbr0",
            )


def _bridge_claimed(seen: Surroundings) -> Iterator[Found]:
    """Another program's settings name our bridge: at its next reload it gives the bridge other
    addresses, or takes it down.

    Sources: systemd.network(5), nm-settings-keyfile(5), interfaces(5)
    """
    for path in seen.claimants:
        yield Found(
            f"{path} configures a link that Saltern holds",
            f"take cbr0 and veth* out of {path} (systemd-networkd: a [Match] that does not fit, or "
            "Unmanaged=yes; NetworkManager: unmanaged-devices; ifupdown: no stanza), then reload",
        )


def _forwarding_off(seen: Surroundings) -> Iterator[Found]:
    """The node forwards no packets, so none comes from a pod or goes to one.

    Sources: kubernetes/kubernetes#40182, kubeadm's preflight (FileContent--proc-sys-net-ipv4)
    """
    key = "net.ipv4.ip_forward"
    if seen.sysctls.get(key) == "0" and not _held(seen, key in seen.declared.sysctls):
        yield Found(f"{key} is 0", f"sysctl -w {key}=1" + _will(seen), bad=seen.declared.there)


def _bridge_netfilter(seen: Surroundings) -> Iterator[Found]:
    """Packets on a bridge pass iptables by: br_netfilter is not loaded, or told to leave them
    alone, so a Service is not reached from a pod on its own node.

    Sources: kubernetes/kubernetes#24018, kubernetes/kubeadm#312, moby/libnetwork#1767
    """
    module, key = "br_netfilter", "net.bridge.bridge-nf-call-iptables"
    absent = seen.modules is not None and module not in seen.modules
    if absent and not _held(seen, module in seen.declared.modules):
        remedy = f"modprobe {module}, and write its name to /etc/modules-load.d/kubernetes.conf"
        yield Found(f"{module} is not loaded", remedy + _will(seen), bad=seen.declared.there)
    off = seen.sysctls.get(key) == "0"
    if off and not absent and not _held(seen, key in seen.declared.sysctls):
        yield Found(f"{key} is 0", f"sysctl -w {key}=1" + _will(seen), bad=seen.declared.there)


def _node_ports(seen: Surroundings) -> Iterator[Found]:
    """Outgoing connections may take a port of the NodePorts' range (30000-32767), and the Service
    that has it is then not reached.

    Sources: kubespray roles/kubernetes/preinstall (net.ipv4.ip_local_reserved_ports)
    """
    words = seen.sysctls.get("net.ipv4.ip_local_port_range", "").split()
    reserved = seen.sysctls.get("net.ipv4.ip_local_reserved_ports", "").strip()
    if len(words) == 2 and int(words[0]) <= 32767 and int(words[1]) >= 30000 and not reserved:
        yield Found(
            f"net.ipv4.ip_local_port_range is {'-'.join(words)}, and no port is reserved",
            'net.ipv4.ip_local_reserved_ports: "30000-32767" under sysctls of a group in the '
            "cluster file, or the kernel's own range, 32768 60999",
            bad=False,
        )


def _held(seen: Surroundings, named: bool) -> bool:
    """Tell whether a thing is no trap: the body holds it, or it makes the node run no pods."""
    return named or (seen.declared.there and not seen.declared.kubernetes)


def _will(seen: Surroundings) -> str:
    return "" if seen.declared.there else "; Saltern does it itself once the node has a document"


def _ranges(seen: Surroundings) -> Iterator[tuple[str, str, str]]:
    """Give the cluster's ranges: what they are, their key in the cluster file, the range."""
    if seen.declared.pods:
        yield "the range of pods", "network.pods", seen.declared.pods
    if seen.declared.services:
        yield "the range of Services", "network.services", seen.declared.services
        return
    for one in seen.filters:
        yield from (("the Service", "network.services", f"{ip}/32") for ip in one.services[:1])


def _addresses(seen: Surroundings) -> Iterator[tuple[Link, IPv4Interface]]:
    for link in seen.links:
        for text in link.addresses:
            address = IPv4Interface(text)
            if not address.is_loopback:
                yield link, address


def _is_of_cluster(seen: Surroundings, link: Link) -> bool:
    """Tell whether a link is there for the cluster: ours, docker's own (told apart), a dummy that
    a name server or IPVS puts addresses of Services on, or of a network that others bring."""
    declared = seen.declared
    pods = declared.kubernetes and not declared.routed and link.name not in _uplinks(seen)
    ours = link.name in declared.bridges or link.kind == "dummy"
    return ours or bool(DOCKERS.match(link.name)) or pods


def _uplinks(seen: Surroundings) -> set[str]:
    return {route.device for route in seen.routes if route.destination == DEFAULT}


def _meet(address: IPv4Interface, text: str) -> bool:
    return address.network.overlaps(IPv4Network(text, strict=False))


def _holds(address: IPv4Interface, ip: str) -> bool:
    return IPv4Interface(ip).ip in address.network


NETWORK: Final[tuple[Trap, ...]] = tuple(
    Trap(name, find)
    for name, find in dict[str, Find](
        {
            "range-overlap": _range_overlap,
            "docker-range": _docker_range,
            "stale-bridge": _stale_bridge,
            "bridge-claimed": _bridge_claimed,
            "forwarding-off": _forwarding_off,
            "bridge-netfilter": _bridge_netfilter,
            "node-ports": _node_ports,
        }
    ).items()
)
