"""A body -> what of it has to do with a trap. Pure.

The body names no range of pods by itself: it is read where compile writes it, from the chain that
lets pods through and from the API server's own flags. What cannot be read that way stays "".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Interface
from pathlib import PurePosixPath
from typing import Final

from saltern_states.body import Body
from saltern_states.bridge import Bridge
from saltern_states.certificate import Certificate
from saltern_states.chain import Chain
from saltern_states.contract import Spec
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.kernel_module import KernelModule
from saltern_states.package import Package
from saltern_states.pod_routes import PodRoutes
from saltern_states.route import Route
from saltern_states.swap import Swap
from saltern_states.sysctl import Sysctl
from saltern_states.unit import Unit

from saltern_agent.doctor.surroundings import Declared, Need

MANIFESTS: Final = "/etc/kubernetes/manifests"
KUBELET_CONFIG: Final = "/var/lib/kubelet/config.yaml"
PODS_CGROUP: Final = "kubepods"
USUAL: Final = (
    Need(10250, "kubelet", "kubelet.service"),
    Need(10248, "kubelet", "kubelet.service"),
    Need(10256, "kube-proxy", "kube-proxy.service"),
    Need(10249, "kube-proxy", "kube-proxy.service"),
)
"""What every node of a cluster listens on (kubeadm's preflight; kube-proxy's own defaults)."""
OF_PODS: Final = {
    "etcd": (2379, 2380, 2381),
    "kube-apiserver": (6443,),
    "kube-controller-manager": (10257, 10252),
    "kube-scheduler": (10259, 10251),
}
"""The control plane's ports; 10251 and 10252 were moved by kubernetes/kubernetes PR 85043."""

_FORWARD = re.compile(r"^-[sd] ([0-9./]+) -j ACCEPT\Z")
_VERSION = re.compile(r"^Description=kubelet ([0-9]+\.[0-9]+\.[0-9]+)\s*$", re.MULTILINE)
_SERVICES = re.compile(r"--service-cluster-ip-range=([0-9./]+)")
_NODE = re.compile(r"--hostname-override=([a-z0-9.-]+)")
_ADDRESS = re.compile(r"--node-ip=([0-9.]+)")
_SERVER = re.compile(r"server: \"?https://([0-9.]+):")
_SWAP = re.compile(r"^failSwapOn: *false\s*$", re.MULTILINE)
_PORT = {
    10250: re.compile(r"^port: *([0-9]+)\s*$", re.MULTILINE),
    10248: re.compile(r"^healthzPort: *([0-9]+)\s*$", re.MULTILINE),
    10256: re.compile(r"^healthzBindAddress: *\"?[0-9.]*:([0-9]+)\"?\s*$", re.MULTILINE),
    10249: re.compile(r"^metricsBindAddress: *\"?[0-9.]*:([0-9]+)\"?\s*$", re.MULTILINE),
}


def declared(body: Body | None) -> Declared:
    """Say what a body declares; Declared() for none, or for an empty one."""
    if body is None or not body.resources:
        return Declared()
    specs = [one.spec for one in body.resources]
    files = {spec.path: spec.text or "" for spec in specs if isinstance(spec, File)}
    units = {spec.unit for spec in specs if isinstance(spec, Unit)}
    chains = [spec for spec in specs if isinstance(spec, Chain)]
    bridges = [spec for spec in specs if isinstance(spec, Bridge)]
    kubelet = files.get("/etc/systemd/system/kubelet.service", "")
    pods = _pods(chains)
    return Declared(
        there=True,
        kubernetes="kubelet.service" in units,
        version=_first(_VERSION, kubelet),
        node=_first(_NODE, kubelet),
        address=_first(_ADDRESS, kubelet),
        pods=pods,
        own_pods=str(IPv4Interface(bridges[0].address).network) if bridges else "",
        services=_first(_SERVICES, files.get(f"{MANIFESTS}/kube-apiserver.yaml", "")),
        endpoint=_first(_SERVER, "\n".join(files.values())),
        backend=chains[0].backend if chains else None,
        bridges=frozenset(one.name for one in bridges),
        routed=any(isinstance(spec, PodRoutes) for spec in specs),
        destinations=frozenset(_destinations(specs)),
        sysctls=frozenset(spec.key for spec in specs if isinstance(spec, Sysctl)),
        modules=frozenset(spec.name for spec in specs if isinstance(spec, KernelModule)),
        packages=frozenset(spec.name for spec in specs if isinstance(spec, Package)),
        lets_through=bool(pods),
        swap=any(isinstance(spec, Swap) for spec in specs),
        certificates=frozenset(spec.path for spec in specs if isinstance(spec, Certificate)),
        manifests=any(
            isinstance(spec, Directory) and spec.path == MANIFESTS and spec.only is not None
            for spec in specs
        ),
        paths=frozenset(path for one in body.resources for path in one.paths),
        failing_swap=not _SWAP.search(files.get(KUBELET_CONFIG, "")),
        needs=tuple(_needs(units, files)),
    )


def _pods(chains: Iterable[Chain]) -> str:
    """Give the range that a chain called from FORWARD accepts both ways."""
    for chain in chains:
        if chain.table != "filter" or chain.jump.chain != "FORWARD":
            continue
        found = [match[1] for rule in chain.rules if (match := _FORWARD.match(rule))]
        both = [one for one in found if found.count(one) > 1]
        if both:
            return both[0]
    return ""


def _destinations(specs: Iterable[Spec]) -> Iterator[str]:
    for spec in specs:
        if isinstance(spec, Route):
            yield spec.destination
        if isinstance(spec, PodRoutes):
            yield from (one.destination for one in spec.routes)


def _needs(units: set[str], files: dict[str, str]) -> Iterator[Need]:
    for need in USUAL:
        if need.owner in units:
            config = files.get(f"/var/lib/{need.component}/config.yaml", "")
            port = int(_first(_PORT[need.port], config) or need.port)
            if port:
                yield Need(port, need.component, need.owner)
    for path in sorted(files):
        name = PurePosixPath(path)
        if str(name.parent) == MANIFESTS:
            for port in OF_PODS.get(name.stem, ()):
                yield Need(port, name.stem, PODS_CGROUP)


def _first(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[1] if found else ""
