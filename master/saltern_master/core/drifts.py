"""Drift as people read it: what is open, from memory; what was, from the store.

* A list is read a little at a time, and between two pages core goes on with its nodes. A question
  that would have MOST_READ records looked at is refused, and says how to ask for less.
* What is open stands in memory, so asking for it reads nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from heapq import merge
from itertools import chain, islice
from typing import Final

from saltern_protocol.errors import printable
from saltern_states.body import read_body

from saltern_master.api.drifts import MOST_READ, DriftAsk, DriftPage, DriftPolicyView
from saltern_master.api.service import DriftView, ServiceError
from saltern_master.core.hold_desk import held_view
from saltern_master.core.known import Known
from saltern_master.core.views import drift_view
from saltern_master.library import Library
from saltern_master.library.library import MissingError
from saltern_master.records.codec import holds
from saltern_master.records.drift import Drift
from saltern_master.records.drift_log import DriftName, Place, find_drift, log_of
from saltern_master.records.nodes import PREFIX, Node, hold_node
from saltern_master.store import Store

AT_ONCE: Final = 100
"""Records that are read before core goes on with what else there is."""
MOST_AFTER: Final = 5
TOO_MUCH: Final = (
    "cannot look through more than {} drifts for {} that fit; ask for one node, a target or a time "
    "(since, until)"
)


class Drifts:
    """What is asked of the record of drift. StoreError from every method."""

    def __init__(
        self, store: Store, known: Known, library: Library, most_read: int = MOST_READ
    ) -> None:
        self._store, self._known, self._library = store, known, library
        self._most_read = most_read

    async def listed(self, ask: DriftAsk) -> tuple[DriftView, ...]:
        """List drift, newest first."""
        before = self._place(ask.before)
        found: list[DriftView] = []
        left, incarnations = self._most_read, dict[str, str]()
        async for one in self._newest(ask, before):
            if one.node not in incarnations:
                incarnations[one.node] = self._incarnation(one.node)
            view = drift_view(one, incarnations[one.node])
            found += [view] if ask.means(view) else []
            left -= 1
            if len(found) == ask.most:
                break
            if not left:
                raise ServiceError("invalid", TOO_MUCH.format(self._most_read, ask.most))
        return tuple(found)

    async def page(self, name: str, now: float) -> DriftPage:
        """Give all of one drift; invalid, not-found."""
        drift = self._find(name)
        ask = DriftAsk(nodes=frozenset({drift.node}), most=MOST_AFTER)
        later: list[str] = []
        async for one in self._newest(ask, None):
            if Place.of(one) <= Place.of(drift) or len(later) == MOST_AFTER:
                break
            if one.resource == drift.resource:
                later.append(drift_view(one, self._incarnation(one.node)).id)
        peer = self._known.peers.get(drift.node)
        return DriftPage(
            drift=drift_view(drift, self._incarnation(drift.node)),
            now=now,
            connected=peer is not None
            and drift.node not in self._known.gone
            and peer.session.greeted,
            policy=await self._policy(drift),
            hold=held_view(peer, now),
            after=tuple(later),
        )

    async def _newest(self, ask: DriftAsk, before: Place | None) -> AsyncIterator[Drift]:
        """Give what may be meant, newest first."""
        if ask.open:
            for one in self._opened(before):
                yield one
            return
        logs: list[Iterator[Drift]] = []
        for at, name in enumerate(self._names(ask), 1):
            log = log_of(self._store, name, _micro(ask.since), _micro(ask.until), before)
            logs += [chain((first,), log) for first in islice(log, 1)]
            if at % AT_ONCE == 0:
                await asyncio.sleep(0)
        for at, one in enumerate(merge(*logs, key=Place.of, reverse=True), 1):
            yield one
            if at % AT_ONCE == 0:
                await asyncio.sleep(0)

    def _opened(self, before: Place | None) -> Iterable[Drift]:
        every = (one for peer in self._known.peers.values() for one in peer.drift.values())
        behind = (one for one in every if before is None or Place.of(one) < before)
        return sorted(behind, key=Place.of, reverse=True)

    def _names(self, ask: DriftAsk) -> Iterable[str]:
        """Name the nodes that are asked for, also those that are there no longer."""
        if ask.nodes is not None:
            return sorted(ask.nodes)
        return (held.key.removeprefix(PREFIX) for held in holds(self._store, PREFIX, Node))

    def _place(self, name: str) -> Place | None:
        return Place.of(self._find(name)) if name else None

    def _find(self, name: str) -> Drift:
        read = DriftName.read(name)
        if read is None:
            raise ServiceError(
                "invalid", f"cannot look for the drift {printable(name)}: an id is NODE:NUMBER"
            )
        drift = find_drift(self._store, read)
        if drift is None:
            raise ServiceError(
                "not-found",
                f"cannot find the drift {name}: there is none, or it is kept no longer; "
                f"see: saltern drift history --node {read.node}",
            )
        return drift

    def _incarnation(self, name: str) -> str:
        """Say which incarnation of a node numbers its drift now; "": it is not known."""
        peer = self._known.peers.get(name)
        node = peer.node if peer is not None else hold_node(self._store, name).value
        return node.incarnation if node is not None else ""

    async def _policy(self, drift: Drift) -> DriftPolicyView | None:
        """Look up what is done about a resource; reading a body takes a tenth of a second."""
        peer = self._known.peers.get(drift.node)
        if peer is None or peer.document is None:
            return None
        with suppress(MissingError):
            path = self._library.path(peer.document.body)
            body = await asyncio.to_thread(lambda: read_body(path.read_bytes()))
            for one in body.resources:
                if one.id == drift.resource:
                    held = one.drift
                    return DriftPolicyView(mode=held.mode, times=held.times, minutes=held.minutes)
        return None


def _micro(seconds: float) -> int:
    return round(seconds * 1e6)
