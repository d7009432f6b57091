"""What a rollout wants -> done, and told as events. Each deed may be done twice.

* One job of a kind goes on at a time for a rollout, and begins again PACE seconds after it began:
  what is wanted is asked of the rollout anew each time.
* Closing, emptying and opening nodes is one kind: none overtakes another.
* A drain with nobody to ask (the cluster has no API server, or it does not know the node) is done
  at once, and the log says so. A server that does not answer is waited for, for Pace.server
  seconds, and as long as the drain has time where it was there when the node was closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final

from saltern_master.api.service import ServiceError
from saltern_master.cluster.model import Cluster
from saltern_master.core import gates
from saltern_master.core.bringing import Bringing
from saltern_master.core.driving.book import Book
from saltern_master.core.driving.driven import Driven
from saltern_master.core.front import Log
from saltern_master.core.gates import Look
from saltern_master.core.known import Known
from saltern_master.core.kube import Kubernetes
from saltern_master.core.pace import Pace
from saltern_master.core.peer import IS_LOCKED
from saltern_master.core.probes import Probing
from saltern_master.core.turns import Turn
from saltern_master.errors import MasterError
from saltern_master.kube.api import KubernetesError
from saltern_master.records.revisions import hold_revision
from saltern_master.records.rollouts import KeptNode, put_node
from saltern_master.rollouts.model import (
    Checked,
    Drained,
    DrainRefused,
    Event,
    Quorum,
    Said,
    Skip,
    Uncordoned,
)
from saltern_master.rollouts.strategy import Probe
from saltern_master.rollouts.wants import Wants, wants
from saltern_master.store import Store, Write

AT_ONCE: Final = 64
"""Probes under way."""

Hear = Callable[[int, Event], None]
Start = Callable[[Coroutine[Any, Any, None]], None]


class Deeds:
    """Does what rollouts want."""

    def __init__(
        self,
        store: Store,
        book: Book,
        known: Known,
        rolling: Bringing,
        kubernetes: Kubernetes,
        hear: Hear,
        start: Start,
        probing: Probing,
        pace: Pace,
        log: Log,
    ) -> None:
        self._store, self._book, self._known = store, book, known
        self._rolling, self._kubernetes = rolling, kubernetes
        self._hear, self._start, self._pace, self._log = hear, start, pace, log
        self._probing = probing
        self._doing: dict[tuple[int, str], float] = {}  # when it may begin again, by loop time
        self._going: set[tuple[int, str]] = set()
        self._closed: set[str] = set()
        self._silent: dict[str, float] = {}  # since when nobody answers for it, by loop time
        self._said: dict[str, str] = {}

    def do(self, driven: Driven, cluster: Cluster | None) -> bool:
        """Begin what a rollout wants now; tell whether it wants anything."""
        wanted = wants(driven.rollout)
        if wanted.watch:
            self._job(driven, "watch", lambda: self._watch(driven, wanted.watch, cluster))
        if wanted.quorum:
            self._job(driven, "quorum", lambda: self._quorum(driven, wanted.quorum, cluster))
        if wanted.drain or wanted.uncordon:
            self._job(driven, "pods", lambda: self._pods(driven, wanted))
        if driven.unissued:
            self._job(driven, "issue", lambda: self._issue(driven.number))
        return bool(
            wanted.watch or wanted.quorum or wanted.drain or wanted.uncordon or driven.unissued
        )

    def _job(
        self, driven: Driven, kind: str, make: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        key, now = (driven.number, kind), asyncio.get_running_loop().time()
        if key in self._going or (kind != "issue" and now < self._doing.get(key, 0.0)):
            return
        if kind == "issue" and now < self._doing.get((driven.number, "issue failed"), 0.0):
            return
        self._going.add(key)
        self._doing[key] = now + self._pace.look
        self._start(self._one(key, make()))

    async def _one(self, key: tuple[int, str], job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except MasterError as error:
            again = asyncio.get_running_loop().time() + self._pace.look
            self._doing[key[0], f"{key[1]} failed"] = again
            self._say(f"{key[1]} {key[0]}", f"rollout {key[0]}: {error}")
        finally:
            self._going.discard(key)

    def _say(self, about: str, text: str) -> None:
        """Write a line to the log, once for as long as it stays the same."""
        if self._said.get(about) != text:
            self._said[about] = text
            self._log(text)

    async def _issue(self, number: int) -> None:
        """Give their documents to all who are to have them and were not given them."""
        driven = self._book.open.get(number)
        asked = self._asked(driven) if driven is not None else {}
        if driven is None or not asked:
            return
        try:
            turn = await self._rolling.issue(
                asked, driven.rollout.revision, number, lambda turn: self._noted(number, turn)
            )
        except ServiceError as error:
            if error.code != "invalid":
                raise
            for name in asked:
                self._hear(number, Said(name, "refused", str(error)))
            return
        if turn is not None:
            self._book.take(self._book.open[number].given(iter(turn.nodes), turn.number))

    def _asked(self, driven: Driven) -> dict[str, str]:
        """Give who can be given which body; of others it is heard why not."""
        held = hold_revision(self._store, driven.rollout.revision).value
        bodies = held.bodies if held is not None else {}
        asked: dict[str, str] = {}
        for name in driven.unissued:
            peer = self._known.peers.get(name)
            if peer is None or peer.node.state == "removing":
                self._hear(driven.number, Skip(name, "the master, since it is no node any more"))
            elif gates.is_locked(peer):
                self._hear(driven.number, Said(name, "refused", IS_LOCKED))
            elif peer.node.state != "joined" or name not in bodies:
                why = f"it cannot be given its document: it is {peer.node.state}"
                self._hear(driven.number, Said(name, "refused", why))
            else:
                asked[name] = bodies[name]
        return asked

    def _noted(self, number: int, turn: Turn) -> Iterable[Write]:
        """Give the writes which say that these nodes were given their document by this turn.

        ServiceError: meanwhile it is taken back, so they are not to have it.
        """
        driven = self._book.open.get(number)
        if driven is None or driven.rollout.undo == "begun":
            raise ServiceError("conflict", "it is taken back, and gives nobody its document now")
        for place, (name, node) in enumerate(driven.rollout.nodes.items()):
            if name in turn.nodes:
                yield put_node(number, name, KeptNode(node=node, place=place, turn=turn.number))

    async def _watch(self, driven: Driven, names: Iterable[str], cluster: Cluster | None) -> None:
        nodes = driven.rollout.nodes
        look = await self._kubernetes.look(one for one in names if nodes[one].control_plane)
        addresses = {one.name: one.address for one in cluster.nodes} if cluster else {}
        probes, limit = driven.rollout.strategy.probes, asyncio.Semaphore(AT_ONCE)

        async def checked(name: str) -> None:
            why = self._agent(name) or gates.kubernetes(name, nodes[name].control_plane, look)
            if not why and probes and name in addresses:
                async with limit:
                    why = await self._probed(addresses[name], probes)
            hopeless = gates.is_locked(self._known.peers.get(name))
            self._hear(driven.number, Checked(name, not why, why, hopeless))

        await asyncio.gather(*map(checked, names))

    async def _probed(self, address: str, probes: Iterable[Probe]) -> str:
        for one in probes:
            why = await self._probing(address, one)
            if why:
                return why
        return ""

    def _agent(self, name: str) -> str:
        return gates.agent(self._known.peers.get(name), name not in self._known.gone)

    async def _quorum(self, driven: Driven, names: Iterable[str], cluster: Cluster | None) -> None:
        nodes = cluster.nodes if cluster is not None else ()
        names_of_etcd = [one.name for one in nodes if "etcd" in one.roles]
        look = await self._kubernetes.look(names_of_etcd)
        members = {
            one: self._agent(one) or gates.kubernetes(one, True, look) for one in names_of_etcd
        }
        for name in names:
            why = gates.quorum(name, members)
            self._hear(driven.number, Quorum(name, not why, why))

    async def _pods(self, driven: Driven, wanted: Wants) -> None:
        look = await self._kubernetes.look()
        for name in wanted.drain:
            for event in await self._drained(name, look):
                self._hear(driven.number, event)
        for name in wanted.uncordon:
            if await self._opened(name, look):
                self._hear(driven.number, Uncordoned(name))

    async def _drained(self, name: str, look: Look) -> tuple[Event, ...]:
        node = look.nodes.get(name)
        if not look.why:
            self._silent.pop(name, None)
        elif node is None and self._is_waited_for(name):
            return (DrainRefused(name, look.why),)
        if node is None:
            self._say(name, f"{name} is not drained: {look.why or 'Kubernetes does not know it'}")
            return Drained(name), Uncordoned(name)
        try:
            left = await self._kubernetes.close_and_empty(node)
        except KubernetesError as error:
            return (DrainRefused(name, str(error)),)
        self._closed.add(name)
        return (DrainRefused(name, "; ".join(left)),) if left else (Drained(name),)

    def _is_waited_for(self, name: str) -> bool:
        """Tell whether a server that does not answer may yet be asked to empty a node."""
        now = asyncio.get_running_loop().time()
        patient = now - self._silent.setdefault(name, now) < self._pace.server
        return name in self._closed or (self._kubernetes.is_there and patient)

    async def _opened(self, name: str, look: Look) -> bool:
        node = look.nodes.get(name)
        if node is not None:
            await self._kubernetes.open(node)
            self._closed.discard(name)
        return node is not None or not look.why or not self._kubernetes.is_there
