"""Driving rollouts: what happened -> the machine -> one commit -> what is to be done.

* Whatever happens is put down and taken together, in order; what cannot be written is taken again.
* One rollout goes on at a time; another is refused, or waits. While one does, an apply is refused.
* Who is not connected for AWAY seconds is gone. Where it is the front that is gone, nobody is: or a
  front that is started again would put every node aside.
* Times are of a clock that nobody sets while core runs: setting it ends nobody's patience.
* A revision is the applied one once its rollout is done. Whoever a rollout leaves at another one is
  pinned there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

import msgspec

from saltern_master.api.rollouts import RolloutAsk
from saltern_master.api.service import ServiceError
from saltern_master.cluster.model import Cluster
from saltern_master.core.bringing import Bringing
from saltern_master.core.driving.beginning import Beginning, Impacts
from saltern_master.core.driving.book import Book
from saltern_master.core.driving.deeds import Deeds
from saltern_master.core.driving.driven import Driven
from saltern_master.core.front import Log
from saltern_master.core.gates import is_locked
from saltern_master.core.kept_turns import read_turn
from saltern_master.core.known import Known
from saltern_master.core.kube import Kubernetes
from saltern_master.core.pace import Pace
from saltern_master.core.peer import IS_LOCKED
from saltern_master.core.probes import Probing
from saltern_master.core.turns import Turn, is_open, why_of
from saltern_master.errors import MasterError
from saltern_master.records import revisions
from saltern_master.records.rollouts import drop_file, read_file
from saltern_master.rollouts.machine import is_news, steps
from saltern_master.rollouts.model import OVER, Back, Event, Gone, Rollout, Said, Skip, Tick
from saltern_master.rollouts.patience import due
from saltern_master.rollouts.wants import wants
from saltern_master.store import Store, StoreError, Write

NOT_TAKEN_BACK: Final = "it is not taken back"
AGAIN_AFTER: Final = 60.0
"""Seconds after which it is tried again to begin what could not be begun."""


class Driver:
    """Drives rollouts."""

    def __init__(
        self,
        store: Store,
        known: Known,
        rolling: Bringing,
        kubernetes: Kubernetes,
        impacts: Impacts,
        listening: Callable[[], bool],
        start: Callable[[Coroutine[Any, Any, None]], None],
        changed: Callable[[], None],
        probing: Probing,
        pace: Pace,
        wall: Callable[[], float],
        log: Log,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        clock = steady(wall, monotonic)
        self._store, self._known, self._rolling = store, known, rolling
        self._listening, self._start, self._changed = listening, start, changed
        self._pace, self._clock, self._wall, self._log = pace, clock, wall, log
        self.book = Book(store, clock)
        self._deeds = Deeds(
            store,
            self.book,
            known,
            rolling,
            kubernetes,
            self.hear,
            start,
            probing,
            pace,
            log,
        )
        self._beginning = Beginning(
            store, self.book, known, rolling, kubernetes, impacts, self._ended, clock
        )
        self._clusters: dict[int, Cluster] = {}
        self._heard: list[tuple[int, Event]] = []
        self._due: dict[int, float] = {}
        self._seen = 0.0  # since when the front listens; 0: it does not
        self._held, self._again = 0, 0.0  # which is about to begin; when to try again
        self._awake = asyncio.Event()

    # What runs as long as core does

    async def load(self) -> None:
        """Read what goes on. StoreError."""
        self.book.load()
        for number, driven in self.book.open.items():
            with suppress(MasterError):
                cluster = await self._rolling.cluster_of(driven.rollout.revision)
                if cluster is not None:
                    self._clusters[number] = cluster
            self._catch_up(driven)
        self._reserve()

    async def drive(self) -> None:
        """Go on with it, without end."""
        while True:
            self._awake.clear()
            try:
                self._take_all()
            except StoreError as error:
                self._log(f"rollouts stand still: {error}")
            busy = self._do_all()
            pause = self._pace.look if busy or self.book.going is not None else None
            try:
                async with asyncio.timeout(pause):
                    await self._awake.wait()
            except TimeoutError:
                continue

    def hear(self, number: int, event: Event) -> None:
        """Put down what happened to a rollout, if that changes anything."""
        driven = self.book.open.get(number)
        if driven is not None and is_news(driven.rollout, event, self._clock()):
            self._heard.append((number, event))
            self._awake.set()

    def moved(self, turn: Turn, nodes: Iterable[str]) -> None:
        """Take notice that nodes stand otherwise in a turn; it is in the store."""
        if turn.purpose != "rollout":
            return
        driven = self.book.open.get(turn.rollout)
        for name in nodes if driven is not None else ():
            self._said(turn, name)

    def _said(self, turn: Turn, name: str) -> None:
        standing, driven = turn.nodes[name], self.book.open[turn.rollout]
        another = standing.result == "superseded" and driven.rollout.phase in OVER
        upgrades = standing.result == "waiting" and standing.upgrades
        if another or upgrades or not is_open(standing.result):
            self._heard.append((turn.rollout, Said(name, standing.result, why_of(standing))))
            self._awake.set()

    def _catch_up(self, driven: Driven) -> None:
        """Take the words that were stored, and not taken, when core ended."""
        waited = {
            turn
            for name, turn in driven.turns.items()
            if driven.rollout.nodes[name].stage in {"applying", "aside", "failed"}
        }
        for number in sorted(waited):
            turn = self._known.turns.get(number) or read_turn(self._store, number)
            for name in turn.nodes if turn is not None else ():
                if turn is not None and driven.turns.get(name) == number:
                    self._said(turn, name)

    # Events

    def _take_all(self) -> None:
        """Take all that happened; StoreError: it is taken again."""
        heard, self._heard = self._heard, []
        events: dict[int, list[Event]] = {}
        for number, event in heard:
            events.setdefault(number, []).append(event)
        now, going = self._clock(), self.book.going
        if going is not None:
            absences = self._absences(going.rollout, self._wall())
            events.setdefault(going.number, []).extend(absences)
        for number, driven in self.book.open.items():
            if not driven.head.queued and now >= self._due.get(number, 0.0):
                events.setdefault(number, []).append(Tick())
        for number in list(events):
            try:
                self._step(number, events[number])
            except StoreError:
                self._due.pop(number, None)
                self._heard = [one for one in heard if one[0] in events] + self._heard
                raise
            del events[number]

    def _absences(self, rollout: Rollout, now: float) -> Iterable[Event]:
        steadily = self._clock()
        self._seen = (self._seen or steadily) if self._listening() else 0.0
        blind = not self._seen or steadily - self._seen < self._pace.away
        for name, node in rollout.nodes.items():
            since = self._known.gone.get(name)
            if node.stage in {"waiting", "aside"} and is_locked(self._known.peers.get(name)):
                yield Skip(name, f"the master: {IS_LOCKED}")
            elif since is None and node.gone_since and name in self._known.peers:
                yield Back(name)
            elif (
                since is not None
                and not blind
                and not node.gone_since
                and now - since >= self._pace.away
            ):
                yield Gone(name)

    def _step(self, number: int, events: Iterable[Event]) -> None:
        """Let the machine take events; one commit. StoreError: nothing changed."""
        driven, now = self.book.open.get(number), self._clock()
        if driven is None or driven.head.queued:
            return
        rollout = steps(driven.rollout, events, now)
        self._due[number] = due(rollout, now)
        if rollout is not driven.rollout:
            self._become(driven, rollout, now)

    def _become(self, driven: Driven, rollout: Rollout, now: float) -> Driven:
        """Write, and take, what a rollout has become. StoreError: nothing changed."""
        after = driven.moved(rollout, now)
        ends = bool(after.head.ended) and not driven.head.ended
        self.book.write(after, more=self._ended(after) if ends else ())
        self._due[driven.number] = due(rollout, now)
        self._took(after, ends)
        return after

    def _took(self, after: Driven, ends: bool) -> None:
        """See to what follows from a rollout that has become another."""
        rollout, cluster = after.rollout, self._clusters.get(after.number)
        if ends and rollout.phase == "done":
            self._rolling.take_applied(rollout.revision, cluster)
            self._rolling.drop_old_revisions()
        self._clusters = {
            one: each for one, each in self._clusters.items() if one in self.book.open
        }
        self._reserve()
        self._awake.set()

    def _ended(self, driven: Driven, given: Mapping[str, str] | None = None) -> tuple[Write, ...]:
        """Give what is written when a rollout is over: what is applied, and who has another.

        `given`: the bodies of its revision where that is not in the store yet.
        """
        rollout, now = driven.rollout, self._clock()
        done = rollout.phase == "done"
        revision = rollout.revision if done else self._rolling.applied.revision
        held = revisions.hold_revision(self._store, revision).value
        bodies = given or (held.bodies if held is not None else {})
        coming, peers = set(driven.unissued), self._known.peers
        other = tuple(
            name
            for name, body in bodies.items()
            if name in peers
            and (document := peers[name].document) is not None
            and (not done if name in coming else document.body != body)
        )
        pinned = revisions.Pinned(at=now, rollout=driven.number, revision=revision, nodes=other)
        applied = (revisions.put_applied(revision),) if done else ()
        return (*applied, revisions.put_pinned(pinned if other else None))

    def _reserve(self) -> None:
        """Let nobody else give documents to many while a rollout goes on."""
        going, before = self.book.going, self._rolling.rollout
        self._rolling.rollout = going.number if going is not None else self._held
        if before != self._rolling.rollout:
            self._changed()

    @property
    def going(self) -> Rollout | None:
        """Give the rollout that is not over."""
        going = self.book.going
        return going.rollout if going is not None else None

    @property
    def cluster(self) -> Cluster | None:
        """Give the cluster file that is being brought; None: none is."""
        going = self.book.going
        return self._clusters.get(going.number) if going is not None else None

    # Deeds

    def _do_all(self) -> bool:
        """Begin all that is wanted now; tell whether anything is."""
        busy = False
        for number, driven in tuple(self.book.open.items()):
            if not driven.head.queued:
                busy |= self._deeds.do(driven, self._clusters.get(number))
        self._begin_next()
        return busy or bool(self.book.queued)

    def _begin_next(self) -> None:
        """Begin what takes a rollout back, or else the one that waited longest."""
        if self._held or self._clock() < self._again:
            return
        going = self.book.going
        if going is not None:
            if not wants(going.rollout).undo or self.book.is_given_up(going.number):
                return
            self._held = going.number
            self._start(self._take_back(going))
        elif self.book.queued:
            self._held = self.book.queued[0].number
            self._start(self._begin_queued(self.book.queued[0]))

    async def _take_back(self, old: Driven) -> None:
        try:
            begun = await self._beginning.take_back(old)
            if begun is None:
                return
            driven, cluster = begun
            self._clusters[driven.number] = cluster
            self._log(f"rollout {driven.number} takes rollout {old.number} back")
            self._took(driven, bool(driven.head.ended))
        except ServiceError as error:
            self._not_taken_back(old.number, f"it is not taken back: {error}")
            if error.code == "unavailable":
                self._again = self._clock() + AGAIN_AFTER
            else:
                self.book.give_up(old.number)
        except MasterError as error:
            self._not_taken_back(old.number, f"it is not taken back yet: {error}")
            self._again = self._clock() + AGAIN_AFTER
        finally:
            self._release()

    def _not_taken_back(self, number: int, why: str) -> None:
        """Say so in the log, and to whoever looks at the rollout."""
        self._log(f"rollout {number}: {why}")
        driven = self.book.open.get(number)
        if driven is not None:
            notes = (one for one in driven.head.notes if not one.startswith(NOT_TAKEN_BACK))
            with suppress(StoreError):
                self.book.write(driven.with_head(notes=(*notes, why)))

    async def _begin_queued(self, queued: Driven) -> None:
        head, file = queued.head, read_file(self._store, queued.number)
        ask = RolloutAsk(target=head.target, strategy=head.rollout.strategy, by=head.by)
        try:
            await self._begin(ask, file, queued)
        except ServiceError as error:
            self._log(f"rollout {queued.number} does not begin: {error}")
            if error.code == "unavailable":
                self._again = self._clock() + AGAIN_AFTER
            else:
                self._end_queued(queued, f"it could not begin: {in_full(error)}")
        except MasterError as error:
            self._log(f"rollout {queued.number} does not begin yet: {error}")
            self._again = self._clock() + AGAIN_AFTER
        finally:
            self._release()

    def _end_queued(self, queued: Driven, why: str) -> Driven:
        rollout = msgspec.structs.replace(queued.rollout, phase="aborted", why=why)
        after = queued.moved(rollout, self._clock()).with_head(queued=False)
        self.book.write(after, more=(drop_file(queued.number),))
        return after

    def _release(self) -> None:
        self._held = 0
        self._reserve()
        self._awake.set()

    async def _begin(self, ask: RolloutAsk, file: bytes, queued: Driven | None) -> Driven:
        driven, cluster = await self._beginning.begin(ask, file, queued)
        self._clusters[driven.number] = cluster
        self._log(f"rollout {driven.number} begins: revision {driven.rollout.revision}")
        self._took(driven, bool(driven.head.ended))
        return driven


def in_full(error: ServiceError) -> str:
    """Tell an error with all that it found, where only one line is kept of it."""
    return ": ".join(filter(None, (str(error), "; ".join(error.faults))))


def steady(wall: Callable[[], float], monotonic: Callable[[], float]) -> Callable[[], float]:
    """Give a clock that says what the wall's said, and goes on as the monotonic one does."""
    began = wall() - monotonic()
    return lambda: began + monotonic()
