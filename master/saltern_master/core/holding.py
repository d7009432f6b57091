"""Holding: persons' holds and open windows, brought to the nodes that they are about.

* What a node is held by stands in its Peer (hold), and what it was told of that in its Session:
  each lease says it (conversation.py). Where the two differ, a connected node is asked to have its
  lease renewed, and asked again after AGAIN seconds: nothing that is lost on the way stays lost.
* A hold is in the store before anybody is told of it. One that is over, or whose node is gone or
  has joined anew, is taken away from there (records/holds.py).
* It is looked at when somebody stirs it, when a hold or a window begins or ends, when the clock is
  set back, and every LOOK_EVERY seconds: a target may ask for facts.
* A clock that is set back to before a person's hold ends no hold, under somebody's hands: it begins
  anew, for as long as it was given.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from saltern_protocol.errors import printable
from saltern_protocol.messages import Renew, encode

from saltern_master.cluster.model import Cluster, Node
from saltern_master.core.aim import subject_of
from saltern_master.core.front import Line, Log
from saltern_master.core.held import InForce, Open, calendar, in_force, meant, next_change, sources
from saltern_master.core.known import Known
from saltern_master.core.peer import Peer
from saltern_master.front.frames import Tell
from saltern_master.records.codec import Record
from saltern_master.records.holds import (
    PersonHold,
    begun_anew,
    ended,
    every_hold,
    put_holds,
    released,
)
from saltern_master.store import Store, StoreError
from saltern_master.subjects import Subject

TICK: Final = 0.5
"""Seconds between two looks whether it is time, and whether somebody was not told yet."""
SOON: Final = 0.01
LOOK_EVERY: Final = 60.0
AGAIN: Final = 5.0
AT_ONCE: Final = 500
"""Nodes that are asked in one go: each asks for a lease, and each lease is signed."""
PAUSE: Final = 0.1
_RENEW: Final = encode(Renew())


@dataclass(frozen=True, slots=True)
class Meant:
    """Which windows mean a node, as it told itself and as the file has it."""

    node: Record
    described: Node | None
    windows: frozenset[str]


class Holding:
    """Who is held, and that they know it."""

    def __init__(
        self,
        store: Store,
        known: Known,
        line: Line,
        applied: Callable[[], Cluster | None],
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self.windows: tuple[Open, ...] = ()
        self._store, self._known, self._line = store, known, line
        self._applied, self._clock, self._log = applied, clock, log
        self._holds: dict[str, PersonHold] = {}
        self._meant: dict[str, Meant] = {}
        self._cluster: Cluster | None = None  # that _meant is of
        self._asked: dict[str, tuple[float, InForce | None]] = {}  # when, and because of what
        self._due = self._looked = 0.0
        self._stale, self._unasked = False, False
        self._wake, self._heard = asyncio.Event(), asyncio.Event()

    @property
    def holds(self) -> Mapping[str, PersonHold]:
        """Give persons' holds, by node."""
        return self._holds

    def load(self) -> None:
        """Read what the store has, and let it count. StoreError."""
        self._holds = {one.node: one for one in every_hold(self._store)}
        self.settle()

    def stir(self) -> None:
        """Take notice that nodes or windows may be others."""
        self._stale = True
        self._wake.set()

    def heard(self) -> None:
        """Take notice that nodes spoke."""
        self._heard.set()

    async def keep(self) -> None:
        """Do all of it until this is cancelled."""
        while True:
            now = self._clock()
            if self._stale or now >= self._due or now < self._looked:
                self.settle()
            self._wake.clear()
            await self._ask_all()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(TICK, max(self._due - now, SOON))):
                    await self._wake.wait()

    def hold(self, holds: Iterable[PersonHold]) -> None:
        """Hold nodes, each in place of a hold before. StoreError: nobody is held."""
        made = tuple(holds)
        if made:
            self._store.commit(*put_holds(made))
        self._holds |= {one.node: one for one in made}
        self.settle()

    def release(self, names: Collection[str]) -> None:
        """End persons' holds of these nodes. StoreError: nobody is released."""
        if names:
            self._store.commit(*released(names))
        self._holds = {name: one for name, one in self._holds.items() if name not in names}
        self.settle()

    async def given(self, names: Iterable[str], seconds: float) -> None:
        """Wait until these nodes, where they are connected, have what holds them; for so long."""
        wanted = tuple(names)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while any(self._is_asked(name) for name in wanted):
                    self._heard.clear()
                    await self._heard.wait()

    def refresh(self) -> None:
        """Settle what is stirred, for somebody who wants to know now."""
        if self._stale:
            self.settle()

    def settle(self) -> None:
        """Decide anew who is held; keep() asks those who have to be told."""
        now = self._clock()
        self._stale = False
        self._begin_anew(now)
        self._sweep(now)
        cluster, described = self._applied(), self._described()
        self.windows = calendar(cluster, now)
        if cluster is not self._cluster or len(self._meant) > len(self._known.peers):
            self._cluster, self._meant = cluster, {}
        decide = self._deciding(now)
        begun = Counter[InForce | None]()
        for name, peer in list(self._known.peers.items()):
            wanted = decide(peer, described.get(name))
            if wanted != peer.hold:
                self._known.put(replace(peer, hold=wanted))
                begun[wanted] += 1
        change = next_change(self._holds, self.windows, now)
        self._looked, self._due = now, min(change or now + LOOK_EVERY, now + LOOK_EVERY)
        for held, count in begun.items():
            self._log(printable(_line(held, count)))
        if begun:
            self._unasked = True
            self._wake.set()  # so that they are asked at once

    def nodes_of(self, window: Open) -> tuple[str, ...]:
        """Name the nodes that a window means now."""
        described, name = self._described(), window.window.name
        peers = sorted(self._known.peers.items())
        found = ((one, self._windows_of(peer, described.get(one))) for one, peer in peers)
        return tuple(one for one, windows in found if any(w.window.name == name for w in windows))

    def _described(self) -> Mapping[str, Node]:
        cluster = self._applied()
        return {one.name: one for one in cluster.nodes} if cluster is not None else {}

    def _deciding(self, now: float) -> Callable[[Peer, Node | None], InForce | None]:
        """Give what decides on a node. Many nodes are meant by the same windows: decided once."""
        some_open = any(one.is_open(now) for one in self.windows)
        together: dict[tuple[str, ...], InForce | None] = {}

        def decide(peer: Peer, described: Node | None) -> InForce | None:
            person = self._holds.get(peer.node.name)
            if person is None and not some_open:
                return None
            windows = self._windows_of(peer, described)
            if person is not None:
                return in_force(sources(person, windows), now)
            names = tuple(one.window.name for one in windows)
            if names not in together:
                together[names] = in_force(sources(None, windows), now)
            return together[names]

        return decide

    def _windows_of(self, peer: Peer, described: Node | None) -> tuple[Open, ...]:
        """Give the windows that mean a node; found anew where it, or the file, is another one."""
        before = self._meant.get(peer.node.name)
        if before is None or before.node is not peer.node or before.described is not described:
            names = frozenset(
                one.window.name for one in meant(_asked(peer, described), self.windows)
            )
            before = self._meant[peer.node.name] = Meant(peer.node, described, names)
        return tuple(one for one in self.windows if one.window.name in before.windows)

    def _begin_anew(self, now: float) -> None:
        """Have what began later than now begin now: the clock was set back."""
        anew = tuple(begun_anew(one, now) for one in self._holds.values() if one.since > now)
        if not anew:
            return
        self._holds |= {one.node: one for one in anew}
        try:
            self._store.commit(*put_holds(anew))
        except StoreError as error:  # they count; the next start begins them anew as well
            self._log(f"holds that began anew are as they were in the store: {error}")

    def _sweep(self, now: float) -> None:
        """Take away what counts no more."""
        nodes = {name: peer.node.incarnation for name, peer in self._known.peers.items()}
        over = ended(self._holds.values(), nodes, now)
        if not over:
            return
        self._holds = {name: one for name, one in self._holds.items() if name not in over}
        try:
            self._store.commit(*released(over))
        except StoreError as error:  # they count for nothing; the next start takes them away
            self._log(f"holds that are over stay in the store: {error}")

    async def _ask_all(self) -> None:
        """Ask all who were told something else, a part at a time.

        Who connects is told with its Hello, so nobody falls behind but by what settle() decides.
        """
        if not self._unasked and not self._asked:
            return
        self._unasked = False
        now, known = self._clock(), self._known
        late = {name: one.hold for name, one in known.peers.items() if self._is_asked(name)}
        self._asked = {
            name: (at, why)
            for name, (at, why) in self._asked.items()
            if name in late and late[name] == why and at <= now < at + AGAIN
        }
        for part in _parts([name for name in late if name not in self._asked]):
            self._asked |= {name: (now, late[name]) for name in part}
            self._line.send([_ask(known.peers[name]) for name in part if name in known.peers])
            if len(part) == AT_ONCE:
                await asyncio.sleep(PAUSE)

    def _is_asked(self, name: str) -> bool:
        """Tell whether a node is connected and was told something else than what holds it."""
        peer = self._known.peers.get(name)
        return peer is not None and peer.session.greeted and not peer.knows_hold(self._clock())


def _parts(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """Give them AT_ONCE at a time."""
    return (names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE))


def _asked(peer: Peer, described: Node | None) -> Subject:
    return subject_of(peer.node.name, peer.node.node_class, described, peer, here=True)


def _ask(peer: Peer) -> Tell:
    return Tell(key=bytes.fromhex(peer.node.key), data=_RENEW)


def _line(held: InForce | None, count: int) -> str:
    nodes = f"{count} node{'' if count == 1 else 's'}"
    if held is None:
        return f"{nodes}: held no longer, drift is set right again"
    until = datetime.fromtimestamp(held.until, UTC)
    return f"{nodes}: drift is left alone until {until:%Y-%m-%dT%H:%M:%SZ} ({held.by}: {held.why})"
