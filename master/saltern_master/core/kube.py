"""What core asks of Kubernetes: its Node objects as the cluster file has them, drain and forget.

* Who has an API server at hand is asked anew each time: a cluster may have none, or not yet.
* Nothing of it holds up an apply. Node objects come when kubelets make them, so they are looked
  at every PAUSE seconds, and every SOON ones while any is awaited.
* The way to the API server is found anew every day: what it goes by may have been renewed.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from saltern_master.cluster.model import Cluster
from saltern_master.compile.allocation import Allocation
from saltern_master.core.front import Log
from saltern_master.core.gates import Look
from saltern_master.kube.api import KubernetesApi, KubernetesError, NotFoundError, Object
from saltern_master.kube.deeds import (
    Patience,
    cordon,
    drain,
    empty,
    forget,
    keep_nodes,
    uncordon,
)
from saltern_master.kube.wishes import Wish

PAUSE: Final = 15.0
SOON: Final = 1.0
DAY: Final = 24 * 3600.0
SPARE: Final = 20
NOBODY: Final = "the cluster has no API server yet that this master may ask"

Reach = Callable[[Cluster], KubernetesApi | None]
"""Give a cluster's API, or None where it has none that this master may use. KubernetesError."""


def no_api(_cluster: Cluster) -> None:
    """Say that there is none: a cluster without a control plane of ours."""


@dataclass(frozen=True, slots=True)
class _Looked:
    """Node objects, by whom they were given, and until when they need not be asked for again."""

    api: KubernetesApi
    nodes: Mapping[str, Object]
    until: float  # by the loop's clock


class Kubernetes:
    """Keeps Node objects; says how the API server is."""

    def __init__(self, reach: Reach, log: Log) -> None:
        self.ready: dict[str, str] = {}
        self._reach, self._log = reach, log
        self._wishes: tuple[Wish, ...] = ()
        self._api: KubernetesApi | None = None
        self._cluster: Cluster | None = None
        self._found = -math.inf  # when the way was found, by the loop's clock
        self._wanted = asyncio.Event()
        self._looked: _Looked | None = None

    def want(self, cluster: Cluster | None, allocation: Allocation) -> None:
        """Let Node objects be as this cluster file has them."""
        nodes = cluster.nodes if cluster is not None else ()
        if cluster is not self._cluster:  # the same file again is the same value, and the same way
            self._cluster, self._api = cluster, None
            self._found = -math.inf
            with suppress(KubernetesError):  # keep() tries again, and tells why
                self._find()
        self._wishes = tuple(
            Wish(node.name, allocation.ranges[node.name], node.labels, node.roles)
            for node in nodes
            if node.name in allocation.ranges
        )
        self._wanted.set()

    async def keep(self) -> None:
        """Keep Node objects, without end."""
        while True:
            self._wanted.clear()
            pause = SOON
            try:
                pause = await self._keep_once()
            except KubernetesError as error:
                self.ready = {"api": str(error)}
            try:
                async with asyncio.timeout(pause):
                    await self._wanted.wait()
            except TimeoutError:
                continue

    async def _keep_once(self) -> float:
        """Look at everything; give how many seconds there are until it is looked at again."""
        if asyncio.get_running_loop().time() - self._found > DAY:
            self._find()
        if self._api is None:
            self.ready = {}
            return PAUSE
        why = await self._api.ready()
        self.ready = {"api": why or "ready"}
        if why:
            return SOON
        kept = await keep_nodes(self._api, self._wishes)
        for found in kept.found:
            self._log(f"kubernetes: {found.name}: {found.trouble or 'set right'}")
        return SOON if kept.awaited else PAUSE

    def _find(self) -> None:
        self._api = self._reach(self._cluster) if self._cluster is not None else None
        self._found = asyncio.get_running_loop().time()

    async def look(self, pods_of: Iterable[str] = ()) -> Look:
        """Give all Node objects, and the pods of some; nothing, and why, where nobody answers.

        A thousand of them cost both sides much: they are asked for again when SPARE times as long
        went by as the answer took, or when one was changed here.
        """
        api = self._api
        if api is None:
            return Look(why=NOBODY)
        try:
            nodes = await self._nodes(api)
            pods = {name: await api.pods_on(name) for name in pods_of if name in nodes}
        except KubernetesError as error:
            self._looked = None
            return Look(why=str(error))
        return Look(nodes, pods)

    async def _nodes(self, api: KubernetesApi) -> Mapping[str, Object]:
        clock, known = asyncio.get_running_loop().time, self._looked
        began = clock()
        if known is not None and known.api is api and began < known.until:
            return known.nodes
        why = await api.ready()
        if why:
            raise KubernetesError(why)
        nodes = {one["metadata"]["name"]: one for one in await api.nodes()}
        self._looked = _Looked(api, nodes, clock() + SPARE * (clock() - began))
        return nodes

    @property
    def is_there(self) -> bool:
        """Whether the cluster has an API server that can be asked, be it up or not."""
        return self._api is not None

    async def close_and_empty(self, node: Object) -> tuple[str, ...]:
        """Close a node and evict its pods, once; say what keeps those left. KubernetesError."""
        if self._api is None:
            return ()
        if not (node.get("spec") or {}).get("unschedulable"):
            await cordon(self._api, node)
            self._looked = None
        return await empty(self._api, node["metadata"]["name"])

    async def open(self, node: Object) -> None:
        """Let a node take pods again, if we closed it. KubernetesError."""
        if self._api is not None:
            await uncordon(self._api, node)
            self._looked = None

    async def drain(self, node: str) -> str:
        """Empty a node of pods, as far as there is a Kubernetes; KubernetesError.

        Gives why it was not drained, or "": also where there is nothing that could run pods.
        """
        if self._api is None:
            return ""
        if await self._api.ready():
            return f"{node} is not drained: there is no API server that answers"
        try:
            await drain(self._api, node, Patience(), self._log)
        except NotFoundError:
            return f"{node} is not drained: Kubernetes does not know it"
        return ""

    async def forget(self, node: str) -> None:
        """Delete a Node object, as far as there is a Kubernetes."""
        if self._api is None:
            return
        try:
            await forget(self._api, node)
        except KubernetesError as error:
            self._log(f"kubernetes: {error}")
