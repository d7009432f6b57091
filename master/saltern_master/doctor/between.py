"""Traps that no node shows alone: two machines that are one to somebody, clocks apart. Pure.

A node tells digests of its machine id and its board's uuid, and the address of its uplink; the
master compares. A node that tells none is in nobody's way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from saltern_master.doctor.noted import Noted, noted, together

OFF: Final = 2.0
FAR_OFF: Final = 60.0
"""Seconds: certificates and tokens are not yet, or no more, valid over there; below two, only logs
are out of order."""
_CLASS: Final = re.compile(r"([0-9]+)\.")


@dataclass(frozen=True, slots=True)
class Machine:
    """What the master knows of one node."""

    name: str
    facts: Mapping[str, object]
    release: str = ""  # of its agent
    offset: float | None = None  # seconds: its clock ahead of the master's, when it last told


Between = Callable[[Sequence[Machine]], Iterator[Noted]]


def between(machines: Iterable[Machine]) -> tuple[Noted, ...]:
    """Give every trap between these nodes."""
    known = sorted(machines, key=lambda one: one.name)
    return together(one for trap in BETWEEN.values() for one in trap(known))


def _machine_id(machines: Sequence[Machine]) -> Iterator[Noted]:
    """Two machines have one machine id: they were copied from one image. DHCP, journals and
    systemd take them for one.

    Sources: machine-id(5); kubernetes/website install-kubeadm.md
    """
    for names in _alike(machines, "machineId"):
        yield noted(
            "same-machine-id",
            "these machines have the same /etc/machine-id",
            "on all but one: rm /etc/machine-id; systemd-machine-id-setup; reboot",
            *names,
        )


def _product_uuid(machines: Sequence[Machine]) -> Iterator[Noted]:
    """Two machines' boards have one product_uuid: Kubernetes' programs that go by it take them for
    one node.

    Sources: kubernetes/website install-kubeadm.md (verify the MAC address and product_uuid)
    """
    for names in _alike(machines, "productUuid"):
        yield noted(
            "same-product-uuid",
            "these machines have the same product_uuid",
            "give each virtual machine a uuid of its own, where it is defined",
            *names,
        )


def _mac(machines: Sequence[Machine]) -> Iterator[Noted]:
    """Two machines' uplinks have one MAC address: on one network each loses the other's packets.

    Sources: kubernetes/website install-kubeadm.md (verify the MAC address and product_uuid)
    """
    for names in _alike(machines, "mac"):
        yield noted(
            "same-mac",
            "the uplinks of these machines have the same MAC address",
            "give each virtual machine an address of its own, where it is defined",
            *names,
        )


def _hostname(machines: Sequence[Machine]) -> Iterator[Noted]:
    """Two machines have one host name: who looks at logs takes them for one.

    Sources: kubernetes/website install-kubeadm.md (unique hostname for every node)
    """
    for names in _alike(machines, "node"):
        yield noted(
            "same-hostname",
            "these machines have the same host name",
            "on each: hostnamectl set-hostname its name in the cluster file",
            *names,
            bad=False,
        )


def _clocks(machines: Sequence[Machine]) -> Iterator[Noted]:
    """A node's clock is not the master's: documents, leases, certificates and tokens have times.

    Sources: kubespray preinstall/tasks/0081-ntp-configurations.yml
    """
    for one in machines:
        if one.offset is not None and abs(one.offset) > OFF:
            way = "ahead of" if one.offset > 0 else "behind"
            yield noted(
                "clock-offset",
                f"its clock was {abs(one.offset):.0f} s {way} the master's when it last told",
                "chronyc tracking and chronyc makestep on the node, and on the master",
                one.name,
                bad=abs(one.offset) > FAR_OFF,
            )


def _backends(machines: Sequence[Machine]) -> Iterator[Noted]:
    """Nodes write iptables by different back ends: each works, and what is looked up on one does
    not hold on the other.

    Sources: kubernetes/kubernetes#71305
    """
    yield from _unlike(machines, "iptables-differ", "iptables writes", "iptablesBackend")


def _kernels(machines: Sequence[Machine]) -> Iterator[Noted]:
    """Nodes have kernels of different majors, or different cgroups: what was tried on one was not
    tried on the other.

    Sources: kubernetes/system-validators, kubernetes PR 134744
    """
    yield from _unlike(machines, "kernels-differ", "the kernel is", "kernel", _major)
    yield from _unlike(machines, "cgroups-differ", "the version of cgroups is", "cgroup")


def _releases(machines: Sequence[Machine]) -> Iterator[Noted]:
    """Agents of different releases: the older ones may know less of what a document can say.

    Sources: kubernetes/kubeadm#2924 (versions apart are easily overlooked)
    """
    told = [Machine(one.name, {"release": one.release}) for one in machines]
    yield from _unlike(told, "agents-differ", "the agent is of release", "release")


BETWEEN: Final[Mapping[str, Between]] = {
    "same-machine-id": _machine_id,
    "same-product-uuid": _product_uuid,
    "same-mac": _mac,
    "same-hostname": _hostname,
    "clock-offset": _clocks,
    "iptables-differ": _backends,
    "kernels-differ, cgroups-differ": _kernels,
    "agents-differ": _releases,
}


def _alike(machines: Sequence[Machine], fact: str) -> Iterator[tuple[str, ...]]:
    """Give each set of nodes that tell the same."""
    for names in _by(machines, fact, str).values():
        if len(names) > 1:
            yield tuple(names)


def _unlike(
    machines: Sequence[Machine],
    trap: str,
    says: str,
    fact: str,
    kind: Callable[[object], str] = str,
) -> Iterator[Noted]:
    """Tell of those that are not as most are; of equal many, the later by name."""
    groups = sorted(_by(machines, fact, kind).items(), key=lambda one: (-len(one[1]), one[1]))
    for value, names in groups[1:]:
        yield noted(
            trap,
            f"{says} {value}, and {groups[0][0]} on {len(groups[0][1])} others",
            "bring them to one where you can; a rollout can be aimed at some: --target",
            *names,
            bad=False,
        )


def _by(
    machines: Sequence[Machine], fact: str, kind: Callable[[object], str]
) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for one in machines:
        value = one.facts.get(fact)
        if value not in (None, "", 0):
            groups.setdefault(kind(value), []).append(one.name)
    return groups


def _major(value: object) -> str:
    found = _CLASS.match(str(value))
    return f"{found[1]}.x" if found else str(value)
