"""Nodes with a trap each, and their healthy neighbours: what the doctor is tried on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from saltern_agent.doctor.declared import OF_PODS, USUAL
from saltern_agent.doctor.kubernetes import DAY, PROGRAMS
from saltern_agent.doctor.surroundings import (
    Daemon,
    Declared,
    Ending,
    Filter,
    Inotify,
    Listener,
    Manifest,
    Room,
    Surroundings,
)
from saltern_states.ports import Link, RouteEntry

NOW = 1_800_000_000.0
WORKER = Declared(
    there=True,
    kubernetes=True,
    version="1.20.2",
    node="w1",
    address="10.9.0.21",
    pods="10.10.0.0/16",
    own_pods="10.10.1.0/24",
    endpoint="10.9.0.11",
    backend="nft",
    bridges=frozenset({"cbr0"}),
    routed=True,
    destinations=frozenset({"10.10.0.0/24", "169.254.169.254/32"}),
    sysctls=frozenset({"net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"}),
    modules=frozenset({"br_netfilter"}),
    packages=frozenset({"conntrack", "iptables", "ebtables", "ethtool", "socat"}),
    lets_through=True,
    swap=True,
    certificates=frozenset({"/etc/kubernetes/pki/kubelet.crt"}),
    manifests=True,
    needs=USUAL,
)


def link(name: str, *addresses: str, kind: str = "") -> Link:
    return Link(name, kind, up=True, mtu=1500, promiscuous=False, addresses=addresses)


def route(destination: str, via: str = "", device: str = "eth0", protocol: int = 3) -> RouteEntry:
    return RouteEntry(destination, via, device, metric=0, protocol=protocol)


LO = link("lo", "127.0.0.1/8")
ETH0 = link("eth0", "10.9.0.21/24")
CBR0 = link("cbr0", "10.10.1.1/24", kind="bridge")
DEFAULT = route("0.0.0.0/0", "10.9.0.1")
NFT = Filter("nft", 20, accepts=("-s 10.10.0.0/16", "-d 10.10.0.0/16"), services=("10.0.0.1",))
LEGACY = Filter("legacy", 0)
HEALTHY = Surroundings(
    now=NOW,
    declared=WORKER,
    hostname="w1",
    resolves=True,
    kernel=(6, 1),
    cgroup=1,
    links=(LO, ETH0, CBR0),
    routes=(
        DEFAULT,
        route("10.9.0.0/24", protocol=2),
        route("10.10.1.0/24", device="cbr0", protocol=2),
        route("10.10.0.0/24", "10.9.0.11", protocol=84),
    ),
    modules=frozenset({"br_netfilter"}),
    sysctls={
        "net.ipv4.ip_forward": "1",
        "net.bridge.bridge-nf-call-iptables": "1",
        "net.ipv4.ip_local_port_range": "32768\t60999",
        "net.ipv4.ip_local_reserved_ports": "",
    },
    filters=(NFT, LEGACY),
    iptables="nft",
    swaps=(),
    programs=frozenset(PROGRAMS),
    listeners=tuple(
        Listener(need.port, 100 + at, need.component, f"0::/system.slice/{need.owner}")
        for at, need in enumerate(USUAL)
    ),
    docker_driver="cgroupfs",
    kubelet_driver="cgroupfs",
    manifests=(),
    certificates=(
        Ending("/etc/kubernetes/pki/kubelet.crt", NOW - 100 * DAY, NOW + 265 * DAY),
        Ending("/etc/kubernetes/pki/ca.crt", NOW - 100 * DAY, NOW + 3500 * DAY),
    ),
    synchronised=True,
    half_installed=(),
    rooms=(Room("/", 50.0, 80.0),),
    daemons=(Daemon("docker.service"), Daemon("kubelet.service")),
    inotify=Inotify(128, 20, 65536),
    selinux=False,
    apparmor=True,
    docker=True,
)
BARE = replace(HEALTHY, declared=Declared(), listeners=(), links=(LO, ETH0))
"""The same machine before it has a document."""


def with_declared(**changes: Any) -> Surroundings:  # noqa: ANN401
    return replace(HEALTHY, declared=replace(WORKER, **changes))


def with_link(*links: Link) -> Surroundings:
    return replace(HEALTHY, links=(*HEALTHY.links, *links))


def with_route(one: RouteEntry, seen: Surroundings = HEALTHY) -> Surroundings:
    return replace(seen, routes=(*seen.routes, one))


def with_listener(seen: Surroundings, port: int, name: str, cgroup: str) -> Surroundings:
    others = tuple(one for one in seen.listeners or () if one.port != port)
    return replace(seen, listeners=(*others, Listener(port, 4711, name, cgroup)))


def with_sysctl(key: str, value: str, seen: Surroundings = HEALTHY) -> Surroundings:
    return replace(seen, sysctls={**seen.sysctls, key: value})


def with_proxy(no_proxy: str) -> Surroundings:
    daemon = Daemon("kubelet.service", (("https_proxy", "http://proxy:3128"),), no_proxy)
    return replace(HEALTHY, daemons=(daemon,))


def expiring(path: str, days: float) -> Surroundings:
    return replace(HEALTHY, certificates=(Ending(path, NOW - 335 * DAY, NOW + days * DAY),))


def on(version: str, **changes: Any) -> Surroundings:  # noqa: ANN401
    return replace(with_declared(version=version), **changes)


NO_HOLDER = with_declared(sysctls=frozenset(), modules=frozenset())
EXTERNAL = with_declared(routed=False, destinations=frozenset())
STRAY = (Manifest("etcd.yaml", "etcd"), Manifest("etcd.yaml.bak", "etcd"))
SPARED = "10.9.0.0/24,10.10.0.0/16,10.0.0.0/16"

CASES: tuple[tuple[str, Surroundings, str], ...] = (
    # trap, the node that has it, words that are told
    ("range-overlap", with_link(link("eth1", "10.10.9.1/24")), "10.10.9.0/24 of eth1"),
    ("range-overlap", with_route(route("10.10.200.0/24", "10.9.0.9")), "via 10.9.0.9"),
    ("range-overlap", with_route(route("10.0.0.0/8", "10.9.0.9")), "not reached from here"),
    ("range-overlap", with_declared(services="10.9.0.0/20"), "network 10.9.0.0/24 of eth0"),
    ("range-overlap", with_route(route("10.0.0.0/24", "10.9.0.9")), "Service 10.0.0.1/32"),
    ("docker-range", with_link(link("docker0", "10.9.0.129/25", kind="bridge")), "of eth0"),
    (
        "docker-range",
        replace(with_link(link("docker0", "172.17.0.1/16")), routes=(route("172.17.3.0/24", "x"),)),
        "the route to 172.17.3.0/24",
    ),
    (
        "docker-range",
        replace(
            with_link(link("docker0", "172.17.0.1/16")), routes=(route("0.0.0.0/0", "172.17.0.2"),)
        ),
        "the gateway 172.17.0.2",
    ),
    ("docker-range", with_link(link("br-0123456789ab", "10.10.64.1/20")), "the range of pods"),
    ("stale-bridge", with_link(link("cni0", "10.244.1.1/24", kind="bridge")), "cni0 is left"),
    ("stale-bridge", replace(BARE, links=(ETH0, CBR0)), "10.10.1.1/24"),
    (
        "bridge-claimed",
        replace(HEALTHY, claimants=("/etc/systemd/network/99-all.network",)),
        "99-all.network",
    ),
    ("forwarding-off", with_sysctl("net.ipv4.ip_forward", "0", NO_HOLDER), "ip_forward is 0"),
    ("forwarding-off", with_sysctl("net.ipv4.ip_forward", "0", BARE), "ip_forward is 0"),
    ("bridge-netfilter", replace(NO_HOLDER, modules=frozenset()), "br_netfilter is not loaded"),
    (
        "bridge-netfilter",
        with_sysctl("net.bridge.bridge-nf-call-iptables", "0", BARE),
        "bridge-nf-call-iptables is 0",
    ),
    (
        "node-ports",
        with_sysctl("net.ipv4.ip_local_port_range", "1024\t65000"),
        "is 1024-65000",
    ),
    (
        "forward-drop",
        replace(HEALTHY, filters=(NFT, Filter("legacy", 0, forward="DROP"))),
        "DROP (iptables-legacy)",
    ),
    (
        "forward-drop",
        replace(BARE, filters=(Filter("nft", 0, forward="DROP"),)),
        "DROP (iptables-nft)",
    ),
    (
        "forward-drop",
        replace(HEALTHY, filters=(replace(NFT, blocks=("-A FORWARD -j REJECT",)),)),
        "-A FORWARD -j REJECT",
    ),
    ("iptables-mixed", replace(HEALTHY, filters=(NFT, Filter("legacy", 3))), "3 of legacy"),
    ("iptables-mixed", replace(HEALTHY, iptables="legacy"), "writes the tables of legacy"),
    ("firewall", replace(HEALTHY, firewalls=("firewalld.service",)), "firewalld.service is on"),
    ("swap-on", replace(BARE, swaps=("/swapfile",)), "/swapfile"),
    ("swap-on", replace(with_declared(swap=False), swaps=("/dev/sda2",)), "/dev/sda2"),
    ("kernel-old", replace(HEALTHY, kernel=(3, 2)), "wants 3.10"),
    ("kernel-old", on("1.32.0", kernel=(4, 4)), "wants 4.19"),
    ("cgroup-version", replace(HEALTHY, cgroup=2), "alpha only"),
    ("cgroup-version", on("1.17.3", cgroup=2), "does not know"),
    ("cgroup-version", on("1.35.0", cgroup=1), "refuses them"),
    ("inotify-low", replace(HEALTHY, inotify=Inotify(128, 100, 65536)), "100 of 128"),
    ("inotify-low", replace(HEALTHY, inotify=Inotify(128, 1, 1000)), "max_user_watches is 1000"),
    ("security-module", replace(HEALTHY, selinux=True), "SELinux enforces"),
    (
        "security-module",
        replace(HEALTHY, programs=frozenset(PROGRAMS) - {"apparmor_parser"}),
        "no apparmor_parser",
    ),
    ("clock-unsynchronised", replace(HEALTHY, synchronised=False), "not synchronised"),
    (
        "dpkg-interrupted",
        replace(HEALTHY, half_installed=("docker.io is half-configured",)),
        "docker.io is half-configured",
    ),
    ("disk-full", replace(HEALTHY, rooms=(Room("/", 4.2, 80.0),)), "/ has 4 % left"),
    ("disk-full", replace(HEALTHY, rooms=(Room("/", 40.0, 1.0),)), "inodes"),
    ("hostname", replace(BARE, hostname="Node_1"), "'Node_1'"),
    ("hostname", replace(BARE, resolves=False), "w1 has no address"),
    ("program-missing", replace(BARE, programs=frozenset(PROGRAMS) - {"conntrack"}), "conntrack"),
    (
        "program-missing",
        replace(with_declared(packages=frozenset()), programs=frozenset(PROGRAMS) - {"socat"}),
        "no socat",
    ),
    (
        "port-taken",
        with_listener(HEALTHY, 10250, "python3", "0::/user.slice/x"),
        "python3 (pid 4711) listens on port 10250, which kubelet needs",
    ),
    ("port-taken", with_listener(BARE, 2379, "etcd", "0::/system.slice/etcd.service"), "etcd"),
    ("cgroup-driver", replace(HEALTHY, docker_driver="systemd"), "the kubelet's is cgroupfs"),
    (
        "stray-manifest",
        replace(with_declared(manifests=False), manifests=STRAY),
        "more than one names the pod etcd",
    ),
    ("certificate-ending", expiring("/etc/kubernetes/pki/old.crt", 12), "ends in 12 days"),
    ("certificate-ending", expiring("/etc/kubernetes/pki/kubelet.crt", 12), "ends in 12 days"),
    ("certificate-ending", expiring("/etc/kubernetes/pki/old.crt", -1), "has ended"),
    ("proxy-catches", with_proxy(""), "HTTPS_PROXY=http://proxy:3128, which catches"),
    ("proxy-catches", with_proxy("10.9.0.0/24,.example.org"), "catches pods, Services"),
    ("cannot-tell", replace(HEALTHY, unseen=("disk: cannot be read",)), "disk: cannot be read"),
)

NEIGHBOURS: tuple[tuple[str, Surroundings], ...] = (
    ("as declared", HEALTHY),
    ("before it has a document", BARE),
    ("another link's range beside ours", with_link(link("eth1", "10.11.0.1/24"))),
    ("a route beside ours", with_route(route("10.11.0.0/16", "10.9.0.9"))),
    ("a route that is declared", with_route(route("169.254.169.254/32", device=""))),
    (
        "a network of pods that others bring",
        with_route(route("10.10.7.0/24", "10.9.0.7"), EXTERNAL),
    ),
    ("an overlay's address", replace(EXTERNAL, links=(LO, ETH0, link("wg0", "10.10.1.0/32")))),
    (
        "a name server's address on a dummy",
        with_link(link("nodelocaldns", "10.0.0.1/32", "169.254.20.10/32", kind="dummy")),
    ),
    ("docker0 that is in nobody's way", with_link(link("docker0", "172.17.0.1/16"))),
    ("a left link without address", with_link(link("cni0", kind="bridge"))),
    ("what the body holds is off: drift", with_sysctl("net.ipv4.ip_forward", "0")),
    ("what the body holds is not loaded: drift", replace(HEALTHY, modules=frozenset())),
    ("swap that the body turns off", replace(HEALTHY, swaps=("/dev/sda2",))),
    ("swap that the kubelet bears", with_declared(swap=False, failing_swap=False)),
    (
        "a wide range of ports, reserved",
        with_sysctl(
            "net.ipv4.ip_local_reserved_ports",
            "30000-32767",
            with_sysctl("net.ipv4.ip_local_port_range", "1024\t65000"),
        ),
    ),
    (
        "DROP where our chain lets through",
        replace(HEALTHY, filters=(replace(NFT, forward="DROP"),)),
    ),
    (
        "DROP in both, let through in both",
        replace(
            with_declared(backend="legacy"),
            iptables="legacy",
            filters=(replace(NFT, backend="legacy", forward="DROP"),),
        ),
    ),
    ("cgroups 2 where they are stable", on("1.25.0", cgroup=2)),
    ("cgroups 1 where they are taken", on("1.34.0", cgroup=1)),
    ("an unsynchronised container", replace(HEALTHY, synchronised=False, container=True)),
    ("a host name that nobody needs", replace(HEALTHY, hostname="Node_1", resolves=False)),
    (
        "a package that comes by the body",
        replace(HEALTHY, programs=frozenset(PROGRAMS) - {"conntrack"}),
    ),
    (
        "a program that this version calls no more",
        replace(
            on("1.33.0", cgroup=2),
            declared=replace(WORKER, version="1.33.0", packages=frozenset()),
            programs=frozenset({"mount", "losetup", "cp", "apparmor_parser"}),
        ),
    ),
    (
        "the control plane in its pods",
        replace(
            HEALTHY,
            listeners=tuple(
                Listener(port, 7, name, "2:cpu:/kubepods/besteffort/pod1/2")
                for name, ports in OF_PODS.items()
                for port in ports
            ),
        ),
    ),
    ("a stray that the body removes", replace(HEALTHY, manifests=STRAY)),
    ("a held certificate that is to be renewed", expiring("/etc/kubernetes/pki/kubelet.crt", 100)),
    ("a proxy that spares the cluster", with_proxy(SPARED)),
    ("a proxy that spares all", with_proxy("*")),
    ("AppArmor without docker", replace(HEALTHY, docker=False, programs=frozenset(PROGRAMS))),
    (
        "a bare node of the cluster",
        replace(
            HEALTHY,
            declared=Declared(there=True),
            swaps=("/swapfile",),
            modules=frozenset(),
            programs=frozenset(),
            docker=False,
            filters=(Filter("nft", 3, forward="DROP"),),
            firewalls=("nftables.service",),
            links=(LO, ETH0),
        ),
    ),
)
