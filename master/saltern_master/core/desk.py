"""The desk: frames from the front, a batch at a time.

    take all that is there -> decide on each (pure) -> one commit -> answers, Acks, followers

* No answer is sent before what it speaks of is durable. A commit that failed sends nothing and
  leaves everything as it was: nodes say it again, to a desk that then has room to write.
* Another process (`saltern sign`) may have changed a record: then it is read again and the same
  frames are taken once more.
* A message that cannot be handled costs its sender that message; it is counted and logged.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from saltern_protocol import messages
from saltern_protocol.errors import MalformedError, printable
from saltern_protocol.messages import Cert, Csr, Lease, Message

from saltern_master.api.service import DriftView
from saltern_master.core.batch import Batch
from saltern_master.core.comings import Comings
from saltern_master.core.conversation import LOCKED, Said, hear
from saltern_master.core.follow import Followers
from saltern_master.core.front import Line, Log
from saltern_master.core.kept_turns import turn_writes
from saltern_master.core.known import Known
from saltern_master.core.peer import Peer
from saltern_master.core.signer import Signer
from saltern_master.core.spread import spread_of
from saltern_master.core.turns import Standing, Turn, end, progressed, upgrades
from saltern_master.core.views import drift_view
from saltern_master.errors import MasterError
from saltern_master.front.frames import (
    Answer,
    Expel,
    Frame,
    Heard,
    Knock,
    Load,
    Ready,
    Silent,
    Tell,
    ToCore,
    Up,
)
from saltern_master.metrics.tally import Tally
from saltern_master.records.drift import surplus
from saltern_master.store import ConflictError, Store, StoreError, Write


@dataclass(frozen=True, slots=True)
class Welcome:
    """What a stranger is told; it is in the store already. `joined`: the node that it became."""

    answer: Message
    joined: str = ""
    why: str = ""


class Clerk(Protocol):
    """What the desk leaves to others, each with its own records."""

    def welcome(self, key: bytes, enrol: messages.Enrol, now: float) -> Welcome:
        """Decide on a stranger, durably. StoreError."""
        ...

    def certify(self, peer: Peer, csr: Csr, now: float) -> tuple[Cert, tuple[Write, ...]]:
        """Answer a node that wants a certificate."""
        ...

    def joined(self, name: str) -> Iterable[Frame]:
        """Take notice of a new node; give what the front has to know before it is answered."""
        ...

    def locked(self, name: str) -> None:
        """Take notice that a node is not heard any more; it is in the store."""
        ...

    def works(self, name: str) -> None:
        """Take a sign that a node is at work on what it is asked to plan."""
        ...

    def planned(self, name: str, page: messages.Plan | messages.Reading) -> None:
        """Take a page of the plan, or of the reading, that a node is asked for."""
        ...

    def moved(self, turn: Turn, nodes: Iterable[str]) -> None:
        """Take notice that these nodes stand otherwise; it is in the store."""
        ...


class Deed:
    """What one batch of frames comes to."""

    def __init__(self) -> None:
        self.batch = Batch()
        self.frames: list[Frame] = []
        self.turns: dict[int, tuple[Turn, dict[str, None]]] = {}
        self.drift: list[DriftView] = []
        self.locked: list[str] = []
        self.messages: list[tuple[str, str]] = []  # by type and direction
        self.pages: list[tuple[str, messages.Plan | messages.Reading]] = []

    def add_turn(self, turn: Turn, nodes: Collection[str]) -> None:
        """Note a turn in which these nodes stand otherwise."""
        _, before = self.turns.get(turn.number, (turn, {}))
        changed = before | dict.fromkeys(nodes)
        self.turns[turn.number] = (turn, changed)
        self.batch.add(turn_writes(turn, nodes))


TRIM_EVERY: Final = 500
"""Drifts of one node, long ones counted as several, between two looks at its log's length."""


class Seen:
    """What the desk saw of its front and of those who speak through it."""

    def __init__(self) -> None:
        self.load: Load | None = None
        self.counts: Counter[str] = Counter()
        self.tally = Tally()
        self._ready: Ready | None = None
        self._listens = asyncio.Event()

    def front_is(self, ready: Ready | None) -> None:
        """The front listens, or it is gone."""
        self._ready = ready
        if ready is None:
            self._listens.clear()
        else:
            self._listens.set()

    @property
    def listens(self) -> bool:
        """Whether there is a front, and nodes reach it."""
        return self._ready is not None

    async def listening(self) -> Ready:
        """Wait for a front that listens."""
        while self._ready is None:
            await self._listens.wait()
        return self._ready


class Desk:
    """Takes frames; the one place that writes what nodes say."""

    def __init__(
        self,
        store: Store,
        known: Known,
        line: Line,
        followers: Followers,
        clerk: Clerk,
        signer: Callable[[], Signer],
        clock: Callable[[], float],
        log: Log,
    ) -> None:
        self.seen = Seen()
        self._drifts: Counter[str] = Counter()
        self._store, self._known, self._line = store, known, line
        self._followers, self._clerk, self._signer = followers, clerk, signer
        self._clock, self._log = clock, log
        self._comings = Comings(log, clock)

    def heard(self, frames: Sequence[ToCore]) -> None:
        """Take all frames that came together.

        A knock is decided from the store and committed by itself, after all else is.
        """
        parts: list[list[ToCore]] = [[one for one in frames if not isinstance(one, Knock)]]
        parts += [[one] for one in frames if isinstance(one, Knock)]
        for together in parts:
            try:
                self._twice(together)
            except StoreError as error:
                self.seen.counts["unwritten"] += len(together)
                self._log(f"{len(together)} messages are not answered: {error}")

    def finish(self, deed: Deed) -> None:
        """Commit what was decided, then tell everybody. StoreError: nothing was done or told."""
        revision = deed.batch.commit(self._store)
        self._known.settled(deed.batch.changes, revision)
        self._line.send(deed.frames)
        for turn, nodes in deed.turns.values():
            self._followers.tell_turn(turn, nodes)
            self._clerk.moved(turn, nodes)
        for name in deed.locked:
            self._clerk.locked(name)
        for name, page in deed.pages:
            self._clerk.planned(name, page)
        for type_, direction in deed.messages:
            self.seen.tally.message(type_, direction)
        for drift in deed.drift:
            self.seen.tally.drift(drift)
            self._followers.tell_drift(drift)

    def _twice(self, frames: Sequence[ToCore]) -> None:
        try:
            self._take_all(frames)
        except ConflictError:
            self._known.refresh(self._store, self._clock())
            self._take_all(frames)

    def _take_all(self, frames: Sequence[ToCore]) -> None:
        snapshot, deed = self._known.snapshot(), Deed()
        now = self._clock()
        for frame in frames:
            try:
                self._take(frame, deed, now)
            except (MasterError, MalformedError) as error:
                self._failed(frame, error)
            except Exception as error:  # noqa: BLE001  one node's message ends nobody else's
                self._failed(frame, error)
        try:
            self.finish(deed)
        except StoreError:
            self._known.restore(snapshot)
            raise

    def _failed(self, frame: ToCore, error: Exception) -> None:
        self.seen.counts[f"failed {type(frame).__name__}"] += 1
        key = getattr(frame, "key", b"").hex()[:12]
        self._log(f"dropped from {key}: {type(error).__name__}: {printable(str(error))}")

    def _take(self, frame: ToCore, deed: Deed, now: float) -> None:
        match frame:
            case Heard():
                self._heard(frame, deed, now)
            case Up() | Silent():
                self._comes_or_goes(frame, now)
            case Knock():
                self._knock(frame, deed, now)
            case Ready():
                self.seen.front_is(frame)
            case Load():
                self.seen.load = frame

    def _comes_or_goes(self, frame: Up | Silent, now: float) -> None:
        peer = self._known.peer_of(frame.key)
        if peer is None:
            return
        name, was_here = peer.node.name, peer.node.name not in self._known.gone
        if isinstance(frame, Up):
            self._known.connected(name, now)
            if not was_here:
                self._comings.came(name)
        else:
            self._known.disconnected([name], now)
            if frame.quiet_us is not None:
                self._known.spoke(name, now - frame.quiet_us / 1e6)
            if frame.linked:
                self._known.wedged(name, now)
            if was_here:
                self._comings.went(name)

    def _heard(self, frame: Heard, deed: Deed, now: float) -> None:
        peer = self._known.peer_of(frame.key)
        if peer is None:
            self.seen.counts["of no node"] += 1
            return
        message = messages.from_node(frame.data)
        if isinstance(message, Csr) and peer.session.greeted:
            cert, writes = self._clerk.certify(peer, message, now)
            said = Said(peer, writes, (cert,), progress=True)
        else:
            said = hear(peer, message, self._signer(), now)
        answers = [Tell(key=frame.key, data=messages.encode(one)) for one in self._spread(said)]
        self._known.put(said.peer)
        self._known.gone.pop(peer.node.name, None)
        deed.batch.add(said.writes)
        deed.frames += answers
        deed.messages += [(type(message).__name__, "in")]
        deed.messages += [(type(one).__name__, "out") for one in said.answers]
        of = peer.node.incarnation
        deed.drift += (drift_view(one, of) for one in said.drift)
        self._trim(peer.node.name, sum(one.weight for one in said.drift), deed)
        self._turn(said, deed, now)
        if said.page is not None:
            deed.pages.append((peer.node.name, said.page))
        if said.progress and said.peer.offered is not None:
            self._clerk.works(peer.node.name)
        if said.locked:
            self._lock(peer.node.name, frame.key, deed, now)

    def _lock(self, name: str, key: bytes, deed: Deed, now: float) -> None:
        """Shut both machines out, which tells each of them why; no turn waits for them."""
        deed.locked.append(name)
        deed.frames.append(Expel(key=key, reason="locked", why=LOCKED))
        for turn in tuple(self._known.turns.values()):
            if turn.wants(name):
                after = end(turn, name, Standing(result="refused", why="it was locked"), now)
                self._known.put_turn(after, [name])
                deed.add_turn(after, [name])
        self._known.disconnected([name], now)

    def _spread(self, said: Said) -> Iterable[Message]:
        """Give the answers; a lease says over how long so many nodes spread their coming back."""
        for one in said.answers:
            if isinstance(one, Lease):
                yield msgspec.structs.replace(one, spread=spread_of(len(self._known.peers)))
            else:
                yield one

    def _trim(self, name: str, more: int, deed: Deed) -> None:
        """Keep a node's log of drift to its length; looked at from its first drift on."""
        if not more:
            return
        if name not in self._drifts or self._drifts[name] >= TRIM_EVERY:
            self._drifts[name] = 0
            old = surplus(self._store, name, opened=self._known.peers[name].drift)
            deed.batch.add(old)
            if old:
                self.remark(f"{name}: {len(old)} of its oldest drifts are kept no longer")
        self._drifts[name] += more

    def remark(self, text: str) -> None:
        """Write a line to the log."""
        self._log(text)

    def _turn(self, said: Said, deed: Deed, now: float) -> None:
        """Let a node's word count in the turns that wait for it."""
        name = said.peer.node.name
        for ended in said.ends:
            turn = self._known.turns.get(ended.turn)
            after = end(turn, name, ended.standing, now) if turn is not None else None
            if after is not None and after is not turn:
                self._known.put_turn(after, [name])
                deed.add_turn(after, [name])
        turn = self._known.turns.get(said.peer.turn)
        if said.progress and turn is not None:
            after = progressed(turn, name, now)
            told = upgrades(after, name, now) if said.upgrades else after
            self._known.put_turn(told, [name])
            if told is not after:
                deed.add_turn(told, [name])

    def _knock(self, frame: Knock, deed: Deed, now: float) -> None:
        welcome = self._clerk.welcome(frame.key, messages.from_stranger(frame.data), now)
        if welcome.joined:
            deed.frames += self._clerk.joined(welcome.joined)
        deed.frames.append(Answer(route=frame.route, data=messages.encode(welcome.answer)))
        self._log(f"door: {frame.key.hex()[:12]}: {printable(welcome.why)}")
