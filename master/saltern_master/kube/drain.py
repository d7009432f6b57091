"""Drain: which pods have to leave a node, and what each answer of the server means. Pure.

* A mirror pod is its node's own, a DaemonSet's pod would come back at once, a finished pod
  holds nothing: they stay.
* A pod without a controller is gone for good once evicted: that is told before, and it needs
  `force`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saltern_master.kube.api import Object

MIRROR = "kubernetes.io/config.mirror"


@dataclass(frozen=True, slots=True)
class Leaving:
    """A pod that has to leave. `alone`: no controller will make it again."""

    namespace: str
    name: str
    alone: bool

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def leaving(pods: Iterable[Object]) -> tuple[Leaving, ...]:
    """Give the pods that have to leave, sorted."""
    found = []
    for pod in pods:
        metadata = pod["metadata"]
        owners = metadata.get("ownerReferences") or ()
        controllers = [one["kind"] for one in owners if one.get("controller")]
        stays = (
            MIRROR in (metadata.get("annotations") or {})
            or "DaemonSet" in controllers
            or pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
        )
        if not stays:
            found.append(Leaving(metadata["namespace"], metadata["name"], not controllers))
    return tuple(sorted(found, key=str))
