"""The programs of Kubernetes that Saltern puts on nodes and into images.

Laws: the order is that in which they are wanted (the kubelet is first, since a node can
start with it alone); a version is written without "v"; architectures are Go's words, which
are also Debian's for those known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from types import MappingProxyType

import msgspec

from saltern_master.errors import MasterError

COMPONENTS = (
    "kubelet",
    "kube-proxy",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
)

MACHINES = MappingProxyType({"x86_64": "amd64", "aarch64": "arm64"})
"""What uname says, in Go's words."""


class BinaryError(MasterError):
    """A Kubernetes program cannot be had, or is not what it should be."""


def check_version(version: str) -> str:
    """Give a version back; BinaryError when it is not one such as 1.20.2."""
    if not re.match(r"[0-9]+\.[0-9]+\.[0-9]+(-[0-9a-z.-]+)?\Z", version):
        raise BinaryError(f"cannot read {version!r} as a Kubernetes version; write it as 1.20.2")
    return version


def check_components(names: Iterable[str]) -> tuple[str, ...]:
    """Give the named components in our order; all if none is named; BinaryError for others."""
    wanted = set(names)
    unknown = sorted(wanted - set(COMPONENTS))
    if unknown:
        raise BinaryError(
            f"cannot tell what {', '.join(unknown)} is; known are {', '.join(COMPONENTS)}"
        )
    return tuple(name for name in COMPONENTS if not wanted or name in wanted)


def go_architecture(machine: str) -> str:
    """Give Go's word for what uname calls a machine; BinaryError for one that nobody tried."""
    if machine not in MACHINES:
        raise BinaryError(f"cannot serve machine {machine}; known are {', '.join(MACHINES)}")
    return MACHINES[machine]


def version_question(component: str) -> tuple[str, ...]:
    """The arguments with which a component says its version; kubectl has no --version."""
    if component == "kubectl":
        return ("version", "--client", "--output=json")
    return ("--version",)


def version_answer(component: str, said: str) -> str | None:
    """Read the version, without "v", from what a component said; None when there is none."""
    if component == "kubectl":
        try:
            said = msgspec.json.decode(said, type=_KubectlAnswer).client.git_version
        except msgspec.DecodeError:
            return None
        found = re.match(r"v(\S+)\Z", said)
    else:
        found = re.match(r"Kubernetes v(\S+)\s*\Z", said)
    return found[1] if found else None


class _Client(msgspec.Struct, frozen=True):
    git_version: str = msgspec.field(name="gitVersion")


class _KubectlAnswer(msgspec.Struct, frozen=True):
    client: _Client = msgspec.field(name="clientVersion")
