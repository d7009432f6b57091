"""A node -> Surroundings: each thing is looked at by itself, so that one that fails hides no other.

Nothing is changed, and nothing is started: docker is asked only where it runs, since a request to
its socket would start it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final, Literal, TypeVar

from saltern_states import iptables_text
from saltern_states.ports import Backend, HostError, UnitState

from saltern_agent.doctor.declared import OF_PODS, USUAL
from saltern_agent.doctor.kubernetes import PROGRAMS
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
from saltern_agent.host import processes, traces
from saltern_agent.host.dbus import SYSTEM_BUS
from saltern_agent.host.docker import SOCKET, cgroup_driver
from saltern_agent.host.facts import iptables_backend
from saltern_agent.host.iptables import Iptables
from saltern_agent.host.kernel import KernelModules, KernelSwaps, ProcSysctls
from saltern_agent.host.machine import is_synchronised
from saltern_agent.host.netlink import NetlinkLinks
from saltern_agent.host.systemd import SystemdUnits

ROOT: Final = Path("/")
SYSCTLS: Final = (
    "net.ipv4.ip_forward",
    "net.bridge.bridge-nf-call-iptables",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "fs.inotify.max_user_instances",
    "fs.inotify.max_user_watches",
)
MODULES: Final = ("br_netfilter",)
FIREWALLS: Final = ("firewalld.service", "ferm.service", "nftables.service", "ufw.service")
RUNS: Final = ("docker.service", "kubelet.service", "kube-proxy.service")
PROXIES: Final = ("https_proxy", "http_proxy")
ROOMS: Final = ("/", "/var/lib/docker", "/var/lib/kubelet", "/var/lib/etcd", "/var/lib/saltern")
DRIVER_FLAG: Final = r"--cgroup-driver[= ]\"?([a-z]+)"
DRIVER_FIELD: Final = r"^\"?cgroupDriver\"?: *\"?([a-z]+)"
_SERVICE: Final = re.compile(r"-d ([0-9.]+)/32 .*cluster IP")
_ACCEPTS: Final = re.compile(r"(?:(-[sd]) (\S+) )?-j ACCEPT\Z")
_BLOCKS: Final = re.compile(r"-j (DROP|REJECT)( --reject-with \S+)?\Z")
_JUMP: Final = re.compile(r"-j ([A-Za-z0-9_-]+)\Z")

Part = Callable[["Look", Surroundings, Path], dict[str, Any]]
T = TypeVar("T")
E = TypeVar("E")


class Look:
    """One look: what could not be seen is noted, and the rest goes on."""

    def __init__(self, bus: str = SYSTEM_BUS) -> None:
        self.bus = bus
        self.unseen: list[str] = []

    def at(self, what: str, see: Callable[[], T], otherwise: E) -> T | E:
        """Look at one thing; `otherwise` where that fails."""
        try:
            return see()
        except (HostError, OSError, ValueError, KeyError) as error:
            self.unseen.append(f"{what}: {error}")
            return otherwise


def look(declared: Declared, now: float, root: Path = ROOT, bus: str = SYSTEM_BUS) -> Surroundings:
    """Look at this machine. `now`: seconds since 1970. `bus`: the socket of systemd's bus."""
    one = Look(bus)
    seen = Surroundings(now=now, declared=declared)
    for name, part in PARTS.items():
        told: dict[str, Any] = one.at(name, partial(part, one, seen, root), {})
        seen = replace(seen, **told)
    return replace(seen, unseen=tuple(one.unseen))


def _network(one: Look, seen: Surroundings, root: Path) -> dict[str, Any]:
    links, rules = NetlinkLinks(), Iptables()
    try:
        return {
            "links": one.at("links", links.all_links, ()),
            "routes": one.at("routes", links.all_routes, ()),
            "filters": tuple(
                found
                for backend in ("nft", "legacy")
                if (found := one.at("iptables", lambda b=backend: _filter(rules, b), None))  # type: ignore[misc]
            ),
            "iptables": iptables_backend() if (root / "usr/sbin/iptables").exists() else None,
        }
    finally:
        links.close()
        rules.close()


def _filter(rules: Iptables, backend: Backend) -> Filter | None:
    texts = {name: rules.save(backend, name) for name in ("filter", "nat")}
    tables = {n: iptables_text.parse(n, text) for n, text in texts.items() if text is not None}
    if not tables:
        return None
    filters, nat = tables["filter"], tables["nat"]
    forward = filters.rules.get("FORWARD", ())
    accepts, blocks = _forwarded(filters, forward)
    services = {
        found[1] for rule in nat.rules.get("KUBE-SERVICES", ()) if (found := _SERVICE.search(rule))
    }
    return Filter(
        backend=backend,
        rules=sum(len(of) for table in tables.values() for of in table.rules.values()),
        forward=filters.policies.get("FORWARD", "ACCEPT"),
        accepts=tuple(accepts),
        blocks=tuple(blocks),
        services=tuple(sorted(services)),
    )


def _forwarded(table: iptables_text.Table, rules: tuple[str, ...]) -> tuple[list[str], list[str]]:
    """Give what FORWARD accepts, and the plain rules that block before anything is accepted."""
    accepts: list[str] = []
    blocks: list[str] = []
    for rule in rules:
        jump = _JUMP.match(rule)
        inner = table.rules.get(jump[1], ()) if jump else ()
        for each in (rule, *inner):
            if found := _ACCEPTS.match(each):
                accepts += [f"{found[1]} {found[2]}"] if found[1] else ["-s", "-d"]
            elif _BLOCKS.match(each) and not accepts:
                blocks.append(f"-A FORWARD {each}")
    return accepts, blocks


def _kernel(one: Look, seen: Surroundings, root: Path) -> dict[str, Any]:
    modules = KernelModules()
    with closing(ProcSysctls()) as sysctls:
        values = {key: one.at(key, lambda k=key: sysctls.read(k), None) for key in SYSCTLS}  # type: ignore[misc]
    there = [name for name in MODULES if modules.state(name) != "absent"]
    release = re.match(r"([0-9]+)\.([0-9]+)", os.uname().release)
    enforcing, apparmor = root / "sys/fs/selinux/enforce", "sys/module/apparmor/parameters/enabled"
    version: Literal[1, 2] = 2 if (root / "sys/fs/cgroup/cgroup.controllers").exists() else 1
    return {
        "container": traces.is_container(root),
        "hostname": os.uname().nodename,
        "resolves": None if seen.declared.there else traces.resolves(os.uname().nodename),
        "kernel": (int(release[1]), int(release[2])) if release else None,
        "cgroup": version,
        "modules": frozenset(there),
        "sysctls": {key: value for key, value in values.items() if value is not None},
        "swaps": one.at("swap", KernelSwaps().active, None),
        "synchronised": one.at("clock", is_synchronised, None),
        "selinux": one.at("SELinux", lambda: traces.word(enforcing) == "1", None),
        "apparmor": one.at("AppArmor", lambda: traces.word(root / apparmor) == "Y", None),
    }


def _files(one: Look, seen: Surroundings, root: Path) -> dict[str, Any]:
    there = one.at("programs", lambda: traces.programs(PROGRAMS, root), None)
    directory = root / "etc/kubernetes/manifests"
    found = one.at("manifests", lambda: traces.manifests(directory), None)
    return {
        "programs": there,
        "docker": there is not None and "dockerd" in there,
        "manifests": found and tuple(Manifest(name, pod) for name, pod in found),
        "certificates": one.at("certificates", lambda: _endings(root), ()),
        "half_installed": one.at("packages", lambda: traces.half_installed(root), None),
        "rooms": one.at(
            "disk",
            lambda: tuple(Room(s.path, s.free, s.inodes) for s in traces.spaces(ROOMS)),
            (),
        ),
        "kubelet_driver": one.at("the kubelet's files", lambda: _kubelet_driver(root), ""),
    }


def _endings(root: Path) -> tuple[Ending, ...]:
    found = traces.certificates(root)
    if not found:
        return ()
    # Imported here: cryptography weighs 10 MB, and a node without certificates needs none of it.
    from saltern_agent.host.x509 import read_leaf

    leaves = [(path, read_leaf(pem, None, "")) for path, pem in found]
    return tuple(Ending(path, leaf.not_before, leaf.not_after) for path, leaf in leaves if leaf)


def _kubelet_driver(root: Path) -> str:
    """Give the kubelet's driver by its files: a flag stands above the configuration."""
    config = root / "var/lib/kubelet/config.yaml"
    if not config.exists():
        return ""
    units = root / "etc/systemd/system"
    flags = (units / "kubelet.service", *sorted((units / "kubelet.service.d").glob("*.conf")))
    said = traces.last(DRIVER_FLAG, (*flags, root / "etc/default/kubelet"))
    return said or traces.last(DRIVER_FIELD, (config,)) or "cgroupfs"


def _units(one: Look, seen: Surroundings, root: Path) -> dict[str, Any]:
    watched = (*FIREWALLS, *RUNS, "systemd-networkd.service")

    def states() -> dict[str, UnitState]:
        with closing(SystemdUnits(one.bus)) as units:  # else it stays until garbage is collected
            return {name: units.state(name) for name in watched}

    told = one.at("systemd", states, dict[str, UnitState]())
    active = {name for name, state in told.items() if state.active in ("active", "reloading")}
    off = traces.last(r"^ENABLED=(\w+)", (root / "etc/ufw/ufw.conf",)) != "yes"
    networkd = "systemd-networkd.service" in active
    driver = lambda: cgroup_driver(SOCKET)  # noqa: E731
    return {
        "firewalls": tuple(
            name for name in FIREWALLS if name in active and not (name == "ufw.service" and off)
        ),
        "daemons": tuple(_daemon(name, told[name].main_pid) for name in RUNS if name in active),
        "docker_driver": one.at("docker", driver, "") if "docker.service" in active else "",
        "claimants": one.at("settings", lambda: traces.claimants(root, networkd), ()),
    }


def _daemon(unit: str, pid: int) -> Daemon:
    said = {name.lower(): value for name, value in processes.environment(pid).items()}
    proxies = tuple((name, _without_login(said[name])) for name in PROXIES if said.get(name))
    return Daemon(unit, proxies, said.get("no_proxy", ""))


def _without_login(proxy: str) -> str:
    """Give a proxy's address without who logs in there: that is a secret, and findings are told."""
    scheme, mark, rest = proxy.rpartition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


def _processes(one: Look, seen: Surroundings, root: Path) -> dict[str, Any]:
    usual = {need.port for need in USUAL} | {port for of in OF_PODS.values() for port in of}
    ports = usual | {need.port for need in seen.declared.needs}
    found = one.at("processes", lambda: processes.listening(ports, monotonic), None)
    if found is None:
        return {}
    listeners, used = found
    limits = [seen.sysctls.get(f"fs.inotify.max_user_{what}") for what in ("instances", "watches")]
    return {
        "listeners": tuple(Listener(w.port, w.pid, w.name, w.cgroup) for w in listeners),
        "inotify": Inotify(int(limits[0]), used, int(limits[1])) if all(limits) else None,  # type: ignore[arg-type]
    }


PARTS: Final[Mapping[str, Part]] = {
    "network": _network,
    "kernel": _kernel,
    "files": _files,
    "units": _units,
    "processes": _processes,
}
"""What is looked at, one after the other: a later one may need what an earlier one saw."""
