"""A Kubernetes API server in memory, as far as Saltern asks one.

Merge patches follow RFC 7386; spec.podCIDR can be written once, as the server has it; an
evicted pod is gone at the next look unless `budgets` still holds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from saltern_master.kube.api import BusyError, KubernetesError, NotFoundError, Object


@dataclass
class FakeKubernetes:
    """Node objects and pods, by name."""

    objects: dict[str, dict[str, Any]] = field(default_factory=dict)
    pods: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    budgets: dict[tuple[str, str], int] = field(default_factory=dict)
    """How often a pod's eviction is still refused."""
    away: str = ""
    """Why it is not reached; "" when it is."""

    def add_node(self, name: str, **spec: object) -> None:
        """Have a kubelet register itself."""
        self.objects[name] = {"metadata": {"name": name}, "spec": dict(spec), "status": {}}

    def say_ready(self, name: str, status: str = "True") -> None:
        """Have a node's kubelet, or the server in its place, say whether it is Ready."""
        condition = {"type": "Ready", "status": status}
        self.objects[name]["status"] = {"conditions": [condition]}

    def add_pod(self, namespace: str, name: str, node: str, **metadata: object) -> None:
        """Bind a pod to a node."""
        head = {"namespace": namespace, "name": name, **metadata}
        self.pods[namespace, name] = {"metadata": head, "spec": {"nodeName": node}, "status": {}}

    async def ready(self) -> str:
        """Give "" unless it is away."""
        return self.away

    async def nodes(self) -> tuple[Object, ...]:
        """List all Node objects."""
        self._reach()
        return tuple(deepcopy(one) for _, one in sorted(self.objects.items()))

    async def patch_node(self, name: str, patch: Object) -> Object:
        """Merge a patch into a Node."""
        self._reach()
        if name not in self.objects:
            raise NotFoundError(f"cannot patch node {name}: there is none")
        before = self.objects[name]
        after = _merged(before, patch)
        had = before["spec"].get("podCIDR")
        if had and after["spec"].get("podCIDR") != had:
            raise KubernetesError(
                f"cannot patch node {name}: 422 node updates may only change labels, taints, or "
                "capacity (or configSource, if the DynamicKubeletConfig feature gate is enabled)"
            )
        self.objects[name] = after
        return deepcopy(after)

    async def delete_node(self, name: str) -> None:
        """Delete a Node object."""
        self._reach()
        self.objects.pop(name, None)

    async def pods_on(self, node: str) -> tuple[Object, ...]:
        """List the pods that are bound to a node."""
        self._reach()
        found = (one for _, one in sorted(self.pods.items()))
        return tuple(deepcopy(one) for one in found if one["spec"]["nodeName"] == node)

    async def evict(self, namespace: str, pod: str) -> None:
        """End a pod, unless a budget stands against it."""
        self._reach()
        key = (namespace, pod)
        if self.budgets.get(key, 0) > 0:
            self.budgets[key] -= 1
            raise BusyError(f"cannot evict {namespace}/{pod}: a disruption budget is against it")
        self.pods.pop(key, None)

    async def delete_pod(self, namespace: str, pod: str) -> None:
        """Forget a pod."""
        self._reach()
        self.pods.pop((namespace, pod), None)

    def _reach(self) -> None:
        if self.away:
            raise KubernetesError(f"cannot ask: {self.away}")


def _merged(under: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    result = deepcopy(dict(under))
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping):
            below = result.get(name)
            result[name] = _merged(below if isinstance(below, Mapping) else {}, value)
        else:
            result[name] = deepcopy(value)
    return result
