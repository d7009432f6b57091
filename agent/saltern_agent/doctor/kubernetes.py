"""Traps of what runs Kubernetes: docker, the kubelet, their ports, files and surroundings. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import Final

from saltern_agent.doctor.declared import OF_PODS, PODS_CGROUP, USUAL
from saltern_agent.doctor.surroundings import Daemon, Ending, Need, Surroundings
from saltern_agent.doctor.trap import Find, Found, Trap, listed

DAY: Final = 24 * 3600
EXPIRING: Final = 30 * DAY
OVERDUE: Final = 0.15
"""Of a certificate's life: what is held is renewed when a third is left, so this is a hindrance."""
WANTED: Final = {
    "conntrack": ((1, 18), (1, 32)),
    "ip": ((1, 0), (1, 33)),
    "iptables": ((1, 0), (1, 33)),
    "nsenter": ((1, 0), (1, 33)),
    "ethtool": ((1, 0), (1, 33)),
    "tc": ((1, 0), (1, 33)),
    "socat": ((1, 0), (1, 32)),
    "ebtables": ((1, 0), (1, 32)),
    "mount": ((1, 0), (9, 9)),
    "losetup": ((1, 0), (9, 9)),
    "cp": ((1, 0), (9, 9)),
}
"""Programs that a kubelet or kube-proxy calls: first version, and the one that calls it no more
(kubernetes PRs 85857, 126953, 127151, and kubeadm's preflight)."""
PACKAGES: Final = {
    "ip": "iproute2",
    "tc": "iproute2",
    "nsenter": "util-linux",
    "losetup": "mount",
    "cp": "coreutils",
}
PROGRAMS: Final = (*WANTED, "apparmor_parser", "dockerd")
CONTROL_PLANE: Final = tuple(
    Need(port, name, PODS_CGROUP) for name, ports in OF_PODS.items() for port in ports
)


def _programs(seen: Surroundings) -> Iterator[Found]:
    """A program that this Kubernetes calls is not installed: conntrack is the one that is missed
    most, and stale UDP flows then go to pods that are no more.

    Sources: kubernetes/kubernetes#26515, kubernetes/website#5773, deckhouse/deckhouse#8081
    """
    declared = seen.declared
    if seen.programs is None or (declared.there and not declared.kubernetes):
        return
    version = _version(declared.version or "1.20.2")
    lacking = [
        name
        for name, (since, until) in WANTED.items()
        if since <= version < until
        and name not in seen.programs
        and PACKAGES.get(name, name) not in declared.packages
    ]
    if lacking:
        packages = dict.fromkeys(PACKAGES.get(name, name) for name in lacking)
        yield Found(
            f"there is no {', '.join(lacking)}",
            f"apt-get install {' '.join(packages)} (elsewhere conntrack is in conntrack-tools)"
            + _will(seen),
            bad=declared.there,
        )


def _ports(seen: Surroundings) -> Iterator[Found]:
    """Somebody else listens on a port that a part of the cluster needs.

    Sources: kubeadm's preflight (Port-6443, Port-10250 …), kubernetes PR 85043
    """
    declared = seen.declared
    if seen.listeners is None or (declared.there and not declared.kubernetes):
        return
    needs = declared.needs if declared.there else (*USUAL, *CONTROL_PLANE)
    told: set[int] = set()
    for need in needs:
        for one in seen.listeners:
            if one.port != need.port or need.owner in one.cgroup or one.port in told:
                continue
            told.add(one.port)
            who = f"{one.name} (pid {one.pid})" if one.pid else "a process that cannot be seen"
            yield Found(
                f"{who} listens on port {need.port}, which {need.component} needs",
                f"systemctl status {one.pid} names its unit; stop it, or give one of them another "
                "port"
                if one.pid
                else f"ss -tlnp sport = :{need.port}; a port that the kernel itself holds is NFS's",
                bad=declared.there or need in USUAL,
            )


def _driver(seen: Surroundings) -> Iterator[Found]:
    """docker and the kubelet put containers into groups by different drivers: the kubelet ends at
    its start, or the machine counts memory twice.

    Sources: kubernetes/kubernetes#43805, kubernetes/kubeadm#639, kubernetes/minikube#6544
    """
    if seen.docker_driver and seen.kubelet_driver and seen.docker_driver != seen.kubelet_driver:
        yield Found(
            f"docker's cgroup driver is {seen.docker_driver}, the kubelet's is "
            f"{seen.kubelet_driver}",
            "give both one: runtime.docker.cgroupDriver in the cluster file sets both; a drop-in "
            "with native.cgroupdriver or --cgroup-driver stands against it (systemctl cat docker "
            "kubelet)",
        )


def _manifests(seen: Surroundings) -> Iterator[Found]:
    """A file in the kubelet's manifest directory that nobody declared: a kubelet runs each file
    there, a backup or a half-edited copy too, and of two that name one pod either may win.

    Where the body holds the directory such a file is drift, and removed.

    Sources: kubernetes/kubernetes#136962, kubernetes/kubeadm#2823
    """
    if seen.declared.manifests or not seen.manifests:
        return
    pods = [one.pod for one in seen.manifests if one.pod]
    twice = sorted({pod for pod in pods if pods.count(pod) > 1})
    names = listed([one.name for one in seen.manifests])
    yield Found(
        f"/etc/kubernetes/manifests has {names}"
        + (f"; more than one names the pod {listed(twice)}" if twice else ""),
        "move what no kubelet shall run out of the directory; Saltern removes what the cluster "
        "file does not declare there",
        bad=bool(twice) or not all(one.pod for one in seen.manifests),
    )


def _certificates(seen: Surroundings) -> Iterator[Found]:
    """A certificate of the node ends soon, or has ended: the node, or the cluster, locks itself
    out. One that the body holds is renewed when a third of its life is left; where much less is
    left, renewing fails.

    Sources: kubernetes/kubeadm#581, kubernetes/kubernetes#68924, rancher/rke2#8379
    """
    for one in seen.certificates:
        left = one.until - seen.now
        held = one.path in seen.declared.certificates
        if not _is_due(one, left, held):
            continue
        when = "has ended" if left <= 0 else f"ends in {left / DAY:.0f} days"
        yield Found(
            f"{one.path} {when}",
            "saltern status tells why the master is not reached, and saltern-agent status what "
            "hinders it; saltern apply asks for it anew"
            if held
            else f"Saltern does not hold it: renew it by what made it (kubeadm certs renew), or "
            f"remove {one.path}",
        )


def _is_due(one: Ending, left: float, held: bool) -> bool:
    return left < (one.until - one.since) * OVERDUE if held else left < EXPIRING


def _proxies(seen: Surroundings) -> Iterator[Found]:
    """A proxy in a unit's environment also catches what goes to the API server, to pods or to
    Services.

    Sources: kubeadm's preflight (HTTPProxy, HTTPProxyCIDR)
    """
    targets = _targets(seen)
    for daemon in seen.daemons:
        caught = [what for what, ip in targets if not _is_spared(daemon, ip)]
        if daemon.proxies and caught:
            name, proxy = daemon.proxies[0]
            need = ",".join(dict.fromkeys(ip for _, ip in targets))
            yield Found(
                f"{daemon.unit} has {name.upper()}={proxy}, which catches {listed(caught)}",
                f"put NO_PROXY={need} beside it: systemctl edit {daemon.unit}",
                bad=daemon.unit != "docker.service",
            )


def _targets(seen: Surroundings) -> list[tuple[str, str]]:
    declared = seen.declared
    services = [declared.services] if declared.services else []
    services += [ip for one in seen.filters for ip in one.services[:1] if not services]
    pairs = [
        ("the API server", declared.endpoint),
        ("the node's own address", declared.address),
        ("pods", declared.pods),
        *(("Services", text) for text in services),
    ]
    return [(what, text) for what, text in pairs if text]


def _is_spared(daemon: Daemon, target: str) -> bool:
    """Tell whether NO_PROXY names an address or a range, as Go's httpproxy reads it."""
    wanted = IPv4Network(target)
    for word in (one.strip() for one in daemon.no_proxy.split(",")):
        if word == "*":
            return True
        try:
            if wanted.subnet_of(IPv4Network(word, strict=False)):
                return True
        except ValueError:
            continue  # a name
    return IPv4Address(wanted.network_address).is_loopback


def _will(seen: Surroundings) -> str:
    return "" if seen.declared.there else "; Saltern does it itself once the node has a document"


def _version(text: str) -> tuple[int, int]:
    words = text.split(".")
    return int(words[0]), int(words[1])


KUBERNETES: Final[tuple[Trap, ...]] = tuple(
    Trap(name, find)
    for name, find in dict[str, Find](
        {
            "program-missing": _programs,
            "port-taken": _ports,
            "cgroup-driver": _driver,
            "stray-manifest": _manifests,
            "certificate-ending": _certificates,
            "proxy-catches": _proxies,
        }
    ).items()
)
