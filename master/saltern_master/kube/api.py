"""What Saltern asks of a Kubernetes API server: a small port, so that a fake can stand for it.

Objects are the server's own JSON, as maps. A NotFoundError is an answer; every other failure
(no connection, a time-out, a refusal) is a KubernetesError that names what was asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from saltern_master.errors import MasterError

Object = Mapping[str, Any]


class KubernetesError(MasterError):
    """The API server would not do what was asked, or was not reached."""


class NotFoundError(KubernetesError):
    """There is no such object."""


class BusyError(KubernetesError):
    """Not now: a disruption budget stands against it, or the server has too much to do."""


class KubernetesApi(Protocol):
    """The verbs that are used, and no others."""

    async def ready(self) -> str:
        """Give "" when the server says that it is ready, else why not."""
        ...

    async def nodes(self) -> tuple[Object, ...]:
        """List all Node objects."""
        ...

    async def patch_node(self, name: str, patch: Object) -> Object:
        """Merge a patch into a Node (RFC 7386), and give what came of it."""
        ...

    async def delete_node(self, name: str) -> None:
        """Delete a Node object; one that is not there is no error."""
        ...

    async def pods_on(self, node: str) -> tuple[Object, ...]:
        """List the pods that are bound to a node, in all namespaces."""
        ...

    async def evict(self, namespace: str, pod: str) -> None:
        """Ask for a pod's orderly end; BusyError when a budget stands against it."""
        ...

    async def delete_pod(self, namespace: str, pod: str) -> None:
        """Forget a pod whose node is gone for good, without waiting for its kubelet."""
        ...
