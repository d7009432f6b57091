"""What is known of each Kubernetes minor: data beside this file, one JSON per minor.

A field of KubeletConfiguration is rendered, or taken from a cluster file, only when the
version has it. The types are those of kubernetes/kubelet config/v1beta1/types.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

import msgspec


class Kubelet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a kubelet reads: `fields` gives the Go type of each, nested ones with dots."""

    api_version: str
    fields: dict[str, str]


class KubernetesMinor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One minor version. `pause`: the release of the pause image that it was tested with."""

    minor: str
    pause: str
    kubelet: Kubelet


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
