"""policy.yaml: what each class of nodes may be told, in a form that a person edits.

It is read as strictly as a cluster file. `saltern init` writes the one below: what the
expansions touch, and the parameters of the network and of memory. What a person's own
resources touch is added there by hand, and signed with `saltern policy`.

kernel.* is not among the parameters: kernel.core_pattern runs a program as root.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta
from saltern_protocol.policy import Allow

from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.model import Part
from saltern_master.cluster.shape import BAD, Reading, read
from saltern_master.cluster.source import parse
from saltern_master.compile.yaml_text import to_yaml

ClassName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z",
        description="a class of nodes: worker or control-plane",
    ),
]

HEAD = """\
# What each class of nodes may be told to touch, whoever signs documents for it.
# After an edit: saltern policy
#
# paths      this path and all below it
# artifacts  null: any content; else the SHA-256 of each that may be brought
# images     null: any image; else the SHA-256 of each one's config
# links      a bridge's name, and the names of the links that it may take for its ports
# modules    as the kernel calls them: with _ where modprobe takes - too
# routes     a range, and all in it; those below are private ones (RFC 1918, RFC 6598), and where
#            clouds answer for a machine's credentials: leave what holds network.pods and the last
# In all else * stands for any run of characters.
#
# releases   the SHA-256 of each package that the agent itself may become (saltern releases list);
#            none is ever allowed unnamed
#
# packages is * since what a package needs comes along under its own name. A .deb or an
# image's archive that is brought to a node is an artifact too: list the hashes under
# artifacts to pin what comes.
"""

NODE = Allow(
    paths=(
        "/etc/docker",
        "/etc/kubernetes",
        "/etc/systemd/system/docker.service.d",
        "/etc/systemd/system/kube-proxy.service",
        "/etc/systemd/system/kubelet.service",
        "/usr/local/bin/kube-proxy",
        "/usr/local/bin/kubelet",
        "/var/lib/kube-proxy",
        "/var/lib/kubelet",
    ),
    units=("docker.service", "kube-proxy.service", "kubelet.service"),
    sysctls=("net.*", "vm.*", "fs.inotify.*"),
    chains=("filter/SALTERN-*", "nat/SALTERN-*"),
    links=("cbr0", "veth*"),
    modules=("br_netfilter", "overlay"),
    packages=("*",),
    routes=(
        "10.0.0.0/8",
        "100.64.0.0/10",
        "169.254.169.254/32",
        "172.16.0.0/12",
        "192.168.0.0/16",
    ),
    swap=True,
)
CONTROL_PLANE = msgspec.structs.replace(NODE, paths=tuple(sorted((*NODE.paths, "/var/lib/etcd"))))


class PolicyFile(Part, frozen=True):
    """A whole policy.yaml."""

    api_version: Literal["saltern/v1"]
    classes: dict[ClassName, Allow]


def default_policy() -> str:
    """Give the policy.yaml of a new cluster."""
    classes = {"worker": NODE, "control-plane": CONTROL_PLANE}
    plain = {
        "apiVersion": "saltern/v1",
        "classes": {name: msgspec.to_builtins(allow) for name, allow in classes.items()},
    }
    return HEAD + to_yaml(plain)


def read_policy(data: bytes) -> dict[str, Allow]:
    """Read policy.yaml; ClusterFileError tells all that is wrong, each with path and line."""
    reading = Reading()
    found = read(parse(data), PolicyFile, (), reading)
    if found is BAD or reading.faults:
        raise ClusterFileError(reading.faults, "the policy file")
    classes: dict[str, Allow] = found.classes
    return classes
