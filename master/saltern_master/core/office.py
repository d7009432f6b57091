"""The office: where core's parts meet. Each of them says in its own file what it does.

All of it runs in one event loop: what is slow is done in a thread (rolling.py), what blocks is one
commit of the store at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Final

from saltern_protocol.messages import Cert, Csr, Enrol, Reading
from saltern_protocol.messages import Plan as Page

from saltern_master.core.alarms import Alarm, Situation, Watch
from saltern_master.core.awake import Awake
from saltern_master.core.bringing import Bringing
from saltern_master.core.calls import grant
from saltern_master.core.desk import Deed, Desk, Welcome
from saltern_master.core.drifts import Drifts
from saltern_master.core.driving import Driving
from saltern_master.core.driving.impacts import impacts_by
from saltern_master.core.follow import Followers
from saltern_master.core.front import Line, Log
from saltern_master.core.heavy import Heavy
from saltern_master.core.holding import Holding
from saltern_master.core.instances import Instances
from saltern_master.core.known import Known
from saltern_master.core.kube import Kubernetes, Reach
from saltern_master.core.leaving import Leaving, expel, is_empty
from saltern_master.core.members import Members
from saltern_master.core.notifying import Notifying
from saltern_master.core.patience import Patience
from saltern_master.core.peer import Peer
from saltern_master.core.plans import Plans
from saltern_master.core.prepare import Preparing
from saltern_master.core.probes import Probing, probe
from saltern_master.core.renewing import Renewing
from saltern_master.core.settings import Settings
from saltern_master.core.signer import Signer
from saltern_master.core.surveys import Surveys
from saltern_master.core.turns import Standing, Turn, end
from saltern_master.errors import MasterError
from saltern_master.front.frames import Admit, Expel, Frame, Peers, Setup, ToCore
from saltern_master.library import Library
from saltern_master.pki.authorities import authorities
from saltern_master.records.revisions import read_pinned
from saltern_master.signing.home import Home
from saltern_master.store import Store, StoreError, Write

GATHER: Final = 0.3
"""Seconds that machines who join together are waited for, before what changed is rolled out."""
ALARMS_EVERY: Final = 10.0


class Office:
    """The parts of core, and what passes between them."""

    def __init__(
        self,
        home: Home,
        store: Store,
        settings: Settings,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        reach: Reach,
        log: Log,
        probing: Probing = probe,
    ) -> None:
        self.link_key = home.link_key()
        known, line, awake = Known(), Line(), Awake(time.monotonic, log)
        library, limits, pace = Library(home.path), settings.limits, settings.pace
        self.store, self.settings, self.clock = store, settings, clock
        self.known, self.line, self.followers = known, line, Followers()
        self._home, self._log, self._awake = home, log, awake
        self.authorities = authorities(home, int(clock()))
        self.members = Members(store, library, self.authorities, random)
        self.drifts = Drifts(store, known, library)
        self.desk = Desk(store, known, line, self.followers, self, self._signer, clock, log)
        preparing = Preparing(home, self.authorities, random)
        self.rolling = rolling = Bringing(home, store, known, self.desk, preparing, clock)
        self.plans = Plans(rolling, store, known, line, library, limits, clock, random, awake)
        self.surveys = Surveys(known, line, self._signer, random)
        self.holding = Holding(store, known, line, lambda: rolling.applied.cluster, clock, log)
        self.renewing = Renewing(home, rolling, line, clock, log)
        self.kubernetes = kubernetes = Kubernetes(reach, log)
        self.driving = Driving(
            store,
            known,
            rolling,
            kubernetes,
            impacts_by(self.plans, pace.plan),
            lambda: self.desk.seen.listens,
            self.start,
            self._rolled,
            probing,
            pace,
            clock,
            log,
            awake,
        )
        self.leaving = Leaving(store, known, line, self.members, rolling, kubernetes, clock, log)
        self.patience = Patience(known, self.desk, limits, clock, log, awake)
        awake.heed(self.patience.notice)
        self.notifying = Notifying(
            home.path, store, clock, log, self.desk.seen.tally, lambda: rolling.signer.cluster
        )
        self._alarms, self._heavy = Watch(log), Heavy(self._take)
        self._changed, self._tasks = asyncio.Event(), set[asyncio.Task[None]]()

    # What runs as long as core does

    async def begin(self) -> None:
        """Read where the store says that things stand."""
        self.known.load(self.store, self.clock())
        for peer in self.known.peers.values():
            self.desk.seen.tally.know(peer.drift.values())
        try:
            await self.rolling.load()
        except MasterError as error:
            self._log(f"what was applied last cannot be read any more: {error}")
        await self.driving.load()
        self.holding.load()
        self.want_nodes()

    async def run(self) -> None:
        """Go on from there until this is cancelled."""
        for name, number in self.leaving.unfinished():
            self.start(self.leaving.empty(name, number, self.end))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._awake.keep())
                group.create_task(self.patience.watch())
                group.create_task(self.plans.keep())
                group.create_task(self.driving.drive())
                group.create_task(self.kubernetes.keep())
                group.create_task(self._follow_members())
                group.create_task(self.renewing.keep())
                group.create_task(self.holding.keep())
                group.create_task(self._watch_alarms())
        finally:
            for task in self._tasks:
                task.cancel()

    async def _follow_members(self) -> None:
        """Roll out what joining and leaving changed, for all who came together at once."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(GATHER)
            self._changed.clear()
            try:
                if await self.rolling.again() is not None:
                    self.want_nodes()
            except MasterError as error:
                self._log(f"who came or left changes nothing for the others yet: {error}")

    async def _watch_alarms(self) -> None:
        while True:
            try:
                self.look_for_alarms()
            except StoreError as error:
                self._log(f"alarms cannot be looked for: {error}")
            await asyncio.sleep(ALARMS_EVERY)

    def look_for_alarms(self) -> tuple[Alarm, ...]:
        """Give what is wrong now; the log is told what began and what ended. StoreError."""
        return self._alarms.look(
            Situation(
                now=self.clock(),
                peers=self.known.peers,
                load=self.desk.seen.load,
                authority=self.rolling.signer.authority,
                restored=self.known.restored,
                pinned=read_pinned(self.store),
                rollout=self.driving.going,
                telling=self.notifying.alarms(),
            )
        )

    def start(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do something beside all else; it ends with core at the latest."""
        task = asyncio.get_running_loop().create_task(doing)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._log(f"what was begun beside failed: {task.exception()!r}")

    def want_nodes(self) -> None:
        """Let Kubernetes' Node objects be as the applied file has them, or the one that comes."""
        applied, coming = self.rolling.applied, self.driving.cluster
        self.kubernetes.want(coming or applied.cluster, applied.allocation)
        self.patience.stir()
        self.holding.stir()

    def _rolled(self) -> None:
        """A rollout began, or is over: then what waited for its end is done."""
        self.want_nodes()
        self._changed.set()

    # What the front says, and what it has to know

    def greeting(self) -> Iterable[Frame]:
        """Give the first frames for a front that has just started."""
        yield Setup(
            bind=self.settings.listen,
            link_port=self.settings.link_port,
            door_port=self.settings.door_port,
            blobs=str(self._home.path / "blobs"),
            secret=self.link_key,
            confinement=self.settings.confinement,
        )
        yield Peers(keys=self.known.speaking())
        for peer in self.known.peers.values():
            yield grant(peer)

    def heard(self, frames: Sequence[ToCore]) -> None:
        """Take all frames that came together, the heavy ones after others."""
        self._heavy.heard(frames)

    def _take(self, frames: Sequence[ToCore]) -> None:
        self.desk.heard(frames)
        self.holding.heard()
        self.patience.stir()
        self.plans.stir()

    def lost(self) -> None:
        """Nobody is connected any more."""
        self._heavy.drop()
        self.desk.seen.front_is(None)
        self.known.disconnected(tuple(self.known.peers), self.clock())
        self.patience.stir()
        self.plans.stir()

    # What the desk leaves to others

    def welcome(self, key: bytes, enrol: Enrol, now: float) -> Welcome:
        """Decide on a stranger, durably. StoreError."""
        return self.members.welcome(key, enrol, self.rolling.signer, now)

    def certify(self, peer: Peer, csr: Csr, now: float) -> tuple[Cert, tuple[Write, ...]]:
        """Answer a node that wants a certificate."""
        return self.members.certify(peer, csr, now)

    def joined(self, name: str) -> tuple[Frame, ...]:
        """Take notice of a new node."""
        self.known.refresh(self.store, self.clock())
        self._changed.set()
        self.holding.stir()
        return (Admit(key=bytes.fromhex(self.known.peers[name].node.key)),)

    def unlocked(self, name: str) -> tuple[Frame, ...]:
        """Take notice that a locked node may speak; what its key said before counts no more."""
        self.known.refresh(self.store, self.clock())
        self.known.put(replace(self.known.peers[name], instances=Instances()))
        self.look_for_alarms()
        peer = self.known.peers[name]
        return (Admit(key=bytes.fromhex(peer.node.key)), grant(peer))

    def left(self, expelled: Expel, name: str, why: str) -> None:
        """A node may speak no more: shut it out, and wait for it no longer."""
        self.line.send([expelled])
        self.known.refresh(self.store, self.clock())  # first: what follows may not be writable
        self.holding.stir()
        for number, turn in tuple(self.known.turns.items()):
            if turn.wants(name):
                self.end(number, name, Standing(result="refused", why=why))

    def locked(self, name: str) -> None:
        """Take notice that two machines speak with one node's key."""
        with suppress(StoreError):  # it is looked for again soon; what was heard is in the store
            self.look_for_alarms()

    def works(self, name: str) -> None:
        """Take a sign that a node is at work on what it is asked to plan."""
        self.plans.works(name)

    def planned(self, name: str, page: Page | Reading) -> None:
        """Take a page of the plan, or of the reading, that a node is asked for."""
        if isinstance(page, Page):
            self.plans.heard(name, page)
        else:
            self.surveys.heard(name, page)

    def moved(self, turn: Turn, nodes: Iterable[str]) -> None:
        """Go on with who leaves, when nothing of ours is left there, and with rollouts."""
        self.driving.moved(turn, nodes)
        for name in nodes:
            if name in self.known.peers and is_empty(turn, name):  # not: who was forgotten at once
                self.start(self._forget(name))

    def end(self, number: int, name: str, standing: Standing) -> None:
        """End a node's part of a turn in its place. StoreError."""
        turn = self.known.turns.get(number)
        if turn is None:
            return
        after = end(turn, name, standing, self.clock())
        deed, snapshot = Deed(), self.known.snapshot()
        self.known.put_turn(after, [name])
        deed.add_turn(after, [name])
        try:
            self.desk.finish(deed)
        except StoreError:
            self.known.restore(snapshot)
            raise

    def forget(self, name: str, why: str) -> Turn:
        """Forget a node at once, and tell the others; gives a turn that has ended. MasterError."""
        key = self.members.forget(name, self.clock())
        self.left(expel(bytes.fromhex(key)), name, "it was removed")
        self._changed.set()
        self.start(self.kubernetes.forget(name))
        return self.rolling.note_removal(name, Standing(result="changed", why=why))

    async def _forget(self, name: str) -> None:
        await self.leaving.finish(name)
        self.holding.stir()
        self._changed.set()

    def _signer(self) -> Signer:
        return self.rolling.signer
