"""What is known of each Kubernetes minor: data beside this file, one JSON per minor.

A field of a configuration is rendered, or taken from a cluster file, only when the version
has it, and a flag is rendered only when the version's program has it. The types are those of
kubernetes/kubelet config/v1beta1/types.go and kubernetes/kube-proxy config/v1alpha1/types.go;
the flags are those that --help of 1.20.2's programs (built from Debian's source package) and
of Debian's etcd 3.4.23 names; the pause image is that of kubeadm's constants.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import msgspec


class Configured(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a program reads: `fields` gives the Go type of each, nested ones with dots."""

    api_version: str
    fields: dict[str, str]


class KubernetesMinor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One minor version.

    `pause` is the release of the pause image and `etcd` that of etcd that go with it; `flags`
    are the names that each program of the control plane and of the nodes takes, without "--".
    """

    minor: str
    pause: str
    etcd: str
    kubelet: Configured
    kube_proxy: Configured
    flags: dict[str, tuple[str, ...]]


def known_minors() -> tuple[str, ...]:
    """Give the minors that there is data for."""
    names = (entry.name for entry in files(__name__).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def minor_of(version: str) -> KubernetesMinor | None:
    """Give what is known of the minor of a version like 1.20.2, or None."""
    minor = ".".join(version.split(".")[:2])
    if minor not in known_minors():
        return None
    return msgspec.json.decode(
        files(__name__).joinpath(f"{minor}.json").read_bytes(), type=KubernetesMinor
    )


def fields_below(fields: Mapping[str, str], prefix: str) -> dict[str, str]:
    """Give the fields directly below a dotted prefix ("" for the top), by their own names."""
    start = f"{prefix}." if prefix else ""
    return {
        name.removeprefix(start): kind
        for name, kind in fields.items()
        if name.startswith(start) and "." not in name.removeprefix(start)
    }
