"""The kubelet's part in a cluster with an API server: who it is, and whom it believes.

* Its client certificate is read again by client-go; the one that it serves with is read once,
  so the unit lives by that file, whatever is in it.
* Only labels that NodeRestriction lets a kubelet set are given to it: with another one a kubelet
  does not even start (pkg/kubelet/apis/well_known_labels.go).
* A node of the control plane that is no worker besides takes no pods but those that tolerate it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saltern_states.body import Resource
from saltern_states.unit import LivesBy

from saltern_master.compile.certificates import AUTHORITY, ETC, PKI
from saltern_master.compile.kubeconfig import kubeconfig
from saltern_master.compile.kubelet_first import PATH as FIRST
from saltern_master.compile.kubelet_first import SECONDS, kubelet_first
from saltern_master.compile.node import NodeInput, lives_by, resource

PART = "kubelet"
KUBECONFIG = "/etc/kubernetes/kubelet.conf"
SERVED = f"{PKI}/kubelet-server"
CONNECTED: Mapping[str, object] = {
    "authentication": {
        "anonymous": {"enabled": False},
        "webhook": {"enabled": True},
        "x509": {"clientCAFile": AUTHORITY},
    },
    "authorization": {"mode": "Webhook"},
    "tlsCertFile": f"{SERVED}.crt",
    "tlsPrivateKeyFile": f"{SERVED}.key",
}
"""Fields of KubeletConfiguration that an API server makes another."""

TAINT = "node-role.kubernetes.io/master=:NoSchedule"
OF_KUBERNETES = ("kubernetes.io", "k8s.io")
MAY_SET = frozenset(
    {
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "beta.kubernetes.io/os",
        "failure-domain.beta.kubernetes.io/region",
        "failure-domain.beta.kubernetes.io/zone",
        "kubernetes.io/arch",
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "node.kubernetes.io/instance-type",
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
    }
)
MAY_SET_BELOW = ("kubelet.kubernetes.io", "node.kubernetes.io")


@dataclass(frozen=True, slots=True)
class Connection:
    """What connects a kubelet; all empty for one on its own."""

    resources: tuple[Resource, ...] = ()
    lives_by: tuple[LivesBy, ...] = ()
    after: tuple[str, ...] = ()


def connection(given: NodeInput, command: tuple[str, ...]) -> Connection:
    """Give the files that connect a kubelet. `command`: it, with the flags that it always has."""
    control = given.control
    if control is None:
        return Connection()
    user = f"system:node:{given.node.name}"
    files = {"kubelet.conf": kubeconfig(KUBECONFIG, control.endpoint, "kubelet", user)}
    if given.runs_control_plane:
        files["kubelet-first.sh"] = kubelet_first(given, command)
    return Connection(
        resources=tuple(resource(PART, name, file, [ETC]) for name, file in files.items()),
        lives_by=(
            *(lives_by(file) for file in files.values()),
            LivesBy(path=f"{SERVED}.crt", sha256=""),
        ),
        after=("pki/ca.crt", "pki/kubelet", "pki/kubelet-server"),
    )


def connected_flags(given: NodeInput) -> tuple[str, ...]:
    """Give the flags that only a kubelet with an API server has."""
    if given.control is None:
        return ()
    labels = own_labels(given.node.labels)
    joined = ",".join(f"{key}={value}" for key, value in labels.items())
    reserved = given.runs_control_plane and "worker" not in given.node.roles
    return (
        f"--kubeconfig={KUBECONFIG}",
        *((f"--node-labels={joined}",) if labels else ()),
        *((f"--register-with-taints={TAINT}",) if reserved else ()),
    )


def service_lines(given: NodeInput) -> str:
    """Give the lines of the unit that run the control plane's pods first."""
    if not given.runs_control_plane:
        return ""
    return f"TimeoutStartSec={SECONDS + 60}\nExecStartPre=/bin/sh {FIRST}\n"


def own_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Give the labels that a kubelet may set itself, by key."""
    return {key: value for key, value in sorted(labels.items()) if _may_set(key)}


def _may_set(key: str) -> bool:
    space = key.rpartition("/")[0]
    if not any(space == one or space.endswith(f".{one}") for one in OF_KUBERNETES):
        return True
    below = any(space == one or space.endswith(f".{one}") for one in MAY_SET_BELOW)
    return key in MAY_SET or below
