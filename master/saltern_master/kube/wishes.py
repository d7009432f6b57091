"""What each Node object shall say, and the patch that makes it say so. Pure.

* Saltern allots pod CIDRs, so it writes spec.podCIDR; the server lets it be written once. A Node
  that has another one is told, not changed: only deleting it would, and that is a person's call.
* Labels and the taint are ours where we put them: an annotation names the labels, so that one
  which leaves the cluster file is taken away, and a stranger's label never is.
* A control-plane node that is no worker bears the taint that keeps other pods away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from saltern_master.kube.api import Object

OURS = "saltern.dev/labels"
"""The annotation that lists the labels which Saltern put there, by comma."""

ROLE = "node-role.kubernetes.io/"
TAINT = {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"}
"""What kubeadm puts on control-plane nodes up to 1.24."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a Node object shall say."""

    name: str
    pods: str  # its range
    labels: Mapping[str, str]
    roles: tuple[str, ...]

    @property
    def all_labels(self) -> dict[str, str]:
        """The labels with one for each role, as kubectl shows them under ROLES."""
        return {f"{ROLE}{role}": "" for role in self.roles} | dict(self.labels)

    @property
    def tainted(self) -> bool:
        """Whether only what tolerates control-plane nodes may run here."""
        return "control-plane" in self.roles and "worker" not in self.roles


@dataclass(frozen=True, slots=True)
class Found:
    """What has to be done about one Node; `patch` empty: nothing."""

    name: str
    patch: Mapping[str, Any]
    trouble: str = ""


def compare(wish: Wish, node: Object) -> Found:
    """Give the merge patch that fulfils a wish, and what cannot be fulfilled."""
    patch: dict[str, Any] = {}
    metadata = _metadata(wish, node)
    if metadata:
        patch["metadata"] = metadata
    spec, trouble = _spec(wish, node)
    if spec:
        patch["spec"] = spec
    return Found(wish.name, patch, trouble)


def is_ready(node: Object) -> bool:
    """Tell whether the kubelet says Ready."""
    conditions = node.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _metadata(wish: Wish, node: Object) -> dict[str, Any]:
    found = node["metadata"]
    have = found.get("labels") or {}
    listed = (found.get("annotations") or {}).get(OURS, "")
    labels: dict[str, str | None] = {
        key: value for key, value in wish.all_labels.items() if have.get(key) != value
    }
    ours = set(filter(None, listed.split(",")))
    labels.update({key: None for key in sorted(ours - wish.all_labels.keys()) if key in have})
    wanted = ",".join(sorted(wish.all_labels))
    patch: dict[str, Any] = {}
    if labels:
        patch["labels"] = labels
    if listed != wanted:
        patch["annotations"] = {OURS: wanted}
    return patch


def _spec(wish: Wish, node: Object) -> tuple[dict[str, Any], str]:
    found = node.get("spec") or {}
    patch: dict[str, Any] = {}
    trouble = ""
    if not found.get("podCIDR"):
        patch |= {"podCIDR": wish.pods, "podCIDRs": [wish.pods]}
    elif found["podCIDR"] != wish.pods:
        trouble = (
            f"Node {wish.name} has the pod range {found['podCIDR']} and shall have {wish.pods}; "
            f"Kubernetes changes it only for a new Node: kubectl delete node {wish.name}"
        )
    taints = found.get("taints") or []
    with_ours = _tainted(taints) if wish.tainted else [one for one in taints if not _is_ours(one)]
    if with_ours != taints:
        patch["taints"] = with_ours
    return patch, trouble


def _tainted(taints: Iterable[Object]) -> list[Object]:
    found = list(taints)
    return found if any(map(_is_ours, found)) else [*found, TAINT]


def _is_ours(taint: Object) -> bool:
    return bool(taint["key"] == TAINT["key"] and taint["effect"] == TAINT["effect"])
