"""The deeds on Node objects: keep them as the cluster file has them, close, empty, open, end one.

Each is a sequence of calls on the port, told step by step. Time is the event loop's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from saltern_master.kube.api import BusyError, KubernetesApi, KubernetesError, Object
from saltern_master.kube.drain import Leaving, leaving
from saltern_master.kube.wishes import Found, Wish, compare

Tell = Callable[[str], None]

CORDONED = "saltern.dev/cordoned"
"""The annotation of a node that Saltern closed to new pods, so that it opens no other one."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a drain may take, and how often it looks. Seconds."""

    seconds: float = 300.0
    pause: float = 1.0


class DrainError(KubernetesError):
    """A node was not emptied in time; it stays cordoned, and the text names what is left."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a look at all Node objects came to."""

    found: tuple[Found, ...]  # what was done, and what cannot be
    awaited: frozenset[str]  # whose kubelets have not made their objects yet


async def keep_nodes(api: KubernetesApi, wishes: Iterable[Wish]) -> Kept:
    """Patch every Node object that differs from its wish."""
    by_name = {wish.name: wish for wish in wishes}
    done: list[Found] = []
    for node in await api.nodes():
        wish = by_name.pop(node["metadata"]["name"], None)
        if wish is None:
            continue
        found = compare(wish, node)
        if found.patch:
            await api.patch_node(found.name, found.patch)
        if found.patch or found.trouble:
            done.append(found)
    return Kept(tuple(done), frozenset(by_name))


async def drain(api: KubernetesApi, node: str, patience: Patience, tell: Tell) -> None:
    """Cordon a node and evict its pods; DrainError when some are left in the end.

    A budget that stands against an eviction is asked again until then, and told.
    """
    await api.patch_node(node, {"spec": {"unschedulable": True}})
    tell(f"{node} takes no new pods")
    clock = asyncio.get_running_loop().time
    deadline = clock() + patience.seconds
    told: dict[Leaving, str] = {}
    while left := leaving(await api.pods_on(node)):
        if clock() > deadline:
            raise DrainError(
                f"cannot drain {node}: after {patience.seconds:.0f} s these are left: "
                f"{', '.join(map(str, left))}; it stays cordoned; see what holds them, then again"
            )
        for pod in left:
            said = await _evict(api, pod)
            if told.get(pod) != said:
                told[pod] = said
                tell(said)
        await asyncio.sleep(patience.pause)
    tell(f"{node} is empty")


async def cordon(api: KubernetesApi, node: Object) -> None:
    """Let a node take no new pods; who closed it already did so for reasons of their own."""
    if (node.get("spec") or {}).get("unschedulable"):
        return
    mark = {"annotations": {CORDONED: "yes"}}
    name = node["metadata"]["name"]
    await api.patch_node(name, {"metadata": mark, "spec": {"unschedulable": True}})


async def uncordon(api: KubernetesApi, node: Object) -> None:
    """Let a node take pods again that cordon() closed; another's closing stays."""
    metadata = node["metadata"]
    if CORDONED in (metadata.get("annotations") or {}):
        patch = {"metadata": {"annotations": {CORDONED: None}}, "spec": {"unschedulable": None}}
        await api.patch_node(metadata["name"], patch)


async def empty(api: KubernetesApi, node: str) -> tuple[str, ...]:
    """Evict the pods that have to leave a node, once; say of each that is left what keeps it."""
    return tuple([await _evict(api, pod) for pod in leaving(await api.pods_on(node))])


async def forget(api: KubernetesApi, node: str) -> None:
    """Delete a Node object, and the pods that were bound to it: nobody would end them."""
    for pod in await api.pods_on(node):
        await api.delete_pod(pod["metadata"]["namespace"], pod["metadata"]["name"])
    await api.delete_node(node)


async def _evict(api: KubernetesApi, pod: Leaving) -> str:
    try:
        await api.evict(pod.namespace, pod.name)
    except BusyError as error:
        return f"{pod} waits: {error}"
    return f"{pod} leaves" + (", and nothing will make it again" if pod.alone else "")
