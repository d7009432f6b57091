"""Rolling out: a cluster file, or what of it changed, to the nodes that it names.

* One at a time. What is slow (compile, sign, write bodies) is done in a thread from frozen
  values; where a node's record changed meanwhile, it is done again from the new one.
* Bodies are on the disk before the documents that name them are in the store; documents, the
  versions that they use up, the ranges, the revision and the turn are one commit; only after it
  anybody is poked.
* While a rollout is not over it alone gives documents to many: an apply is refused, and what a
  node that joined or left changes for others waits. Who was left at another revision by a rollout,
  or by a plan of others (pinned), keeps what it has until somebody applies, or rolls out, again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256

import msgspec
from saltern_protocol.errors import ProtocolError
from saltern_states.body import Body, write_body

from saltern_master.api.service import ServiceError
from saltern_master.cluster.load import load
from saltern_master.cluster.model import Cluster
from saltern_master.compile.allocation import Allocation
from saltern_master.core import rollout
from saltern_master.core.calls import call, grant, poke
from saltern_master.core.desk import Deed, Desk
from saltern_master.core.kept_turns import outlived
from saltern_master.core.known import Known
from saltern_master.core.peer import Peer
from saltern_master.core.prepare import Prepared, Preparing, Question
from saltern_master.core.rollout import APPLIED, EVERYBODY, NewDocument, Order, Rollout, Signed
from saltern_master.core.signer import Signer, read_signer
from saltern_master.core.turns import Standing, Turn, begin, not_reached, supersede
from saltern_master.front.frames import Frame
from saltern_master.library import Library
from saltern_master.records import nodes, revisions
from saltern_master.records.revisions import KEPT
from saltern_master.signing.home import Home
from saltern_master.store import ConflictError, Store, StoreError, Write

TRIES = 3
LEAVING = ("removing", "removed")


@dataclass(frozen=True, slots=True)
class Applied:
    """What was applied last."""

    revision: int = 0
    cluster: Cluster | None = None
    allocation: Allocation = field(default_factory=Allocation)


@dataclass(frozen=True, slots=True)
class Work:
    """What a thread made: all that is committed for a turn."""

    prepared: Prepared
    rollout: Rollout
    signed: tuple[Signed, ...]


class Rolling:
    """The one who makes documents."""

    def __init__(
        self,
        home: Home,
        store: Store,
        known: Known,
        desk: Desk,
        preparing: Preparing,
        clock: Callable[[], float],
    ) -> None:
        self.applied = Applied()
        self.rollout = 0  # the one that is not over
        self.signer = read_signer(home)
        self._home, self._store, self._known, self._desk = home, store, known, desk
        self._clock = clock
        self._library = Library(home.path)
        self._preparing = preparing
        self._one = asyncio.Lock()

    async def load(self) -> None:
        """Read what was applied last; MasterError where this release cannot read it any more."""
        await self.adopt(revisions.applied_revision(self._store))

    async def adopt(self, number: int) -> None:
        """Take a revision for the applied one; MasterError where its file cannot be read."""
        allocation = revisions.hold_allocation(self._store).value or Allocation()
        self.applied = Applied(number, None, allocation)
        cluster = await self.cluster_of(number)
        if cluster is not None:
            self.applied = Applied(number, cluster, allocation)

    async def cluster_of(self, revision: int) -> Cluster | None:
        """Read a revision's cluster file; None: there is none."""
        file = revisions.revision_file(self._store, revision)
        return None if file is None else (await asyncio.to_thread(load, file)).cluster

    def refuse_beside_rollout(self) -> None:
        """Refuse what would give documents to many while a rollout does; ServiceError."""
        if self.rollout:
            raise ServiceError("conflict", beside(self.rollout, "apply"))

    async def apply(self, file: bytes) -> Turn:
        """Roll out a cluster file to all that it names; ServiceError."""
        async with self._one:
            self.refuse_beside_rollout()
            work = await self._settled_work(file, APPLIED)
            same = {name: self._known.peers[name].node.version for name in work.rollout.same}
            notes = (*work.prepared.notes, *work.rollout.notes)
            return self._commit_work(file, work, same, notes, work.rollout.settled)

    async def again(self) -> Turn | None:
        """Roll out what of the applied file changed: a node came or left. None: nothing did."""
        async with self._one:
            file = revisions.revision_file(self._store, self.applied.revision)
            if file is None or self.rollout:
                return None
            work = await self._settled_work(file, self._standing_order())
            if not work.signed:
                return None
            return self._commit_work(file, work, {}, work.prepared.notes)

    def start_removal(self, name: str) -> Turn:
        """Begin a turn that waits for a node to be empty; it is not asked yet."""
        turn = msgspec.structs.replace(self._begin({name: 0}), purpose="remove")
        if name in self._known.gone:
            waits = msgspec.structs.replace(turn.nodes[name], why=not_reached(turn, name))
            turn = msgspec.structs.replace(turn, nodes={name: waits})
        self._commit(turn, (), ())
        return turn

    def note_removal(self, name: str, standing: Standing) -> Turn:
        """Write down a removal that is done: a turn that waits for nobody."""
        turn = msgspec.structs.replace(self._begin({}, {name: standing}), purpose="remove")
        self._commit(turn, (), ())
        return turn

    async def empty(self, name: str, number: int, note: str = "") -> None:
        """Give a node a document without any resource; the turn waits for it, and has the note."""
        async with self._one:
            signed = self._still(await self._signed(lambda: self._emptied(name)))
            turn = self._known.turns.get(number)
            if turn is None or not signed:
                text = f"cannot empty {name}: it was revoked, or changed meanwhile; remove it again"
                raise ServiceError("conflict", text)
            version = signed[0].issued.version
            asked = msgspec.structs.replace(turn.nodes[name], version=version, moved=self._clock())
            notes = (*turn.notes, note) if note else turn.notes
            turn = msgspec.structs.replace(turn, nodes={name: asked}, notes=notes)
            self._commit(turn, signed, ())

    async def renew(self) -> int:
        """Sign anew what is past half its life, or not under this root; give how many were."""
        async with self._one:
            signed = self._still(await self._signed(lambda: self._old(self._clock())))
            for text in rollout.not_renewed(self._known.peers, self.signer, self._clock()):
                self._desk.remark(text)
            if signed:
                self._commit(None, signed, ())
            return len(signed)

    def call_lagging(self) -> tuple[Frame, ...]:
        """Give what makes those who believe an older root ask for the newer ones."""
        root = self.signer.root.version
        return tuple(poke(one for one in self._known.peers.values() if one.lags(root)))

    def _standing_order(self) -> Order:
        """Say who keeps what he has (who joined anew has nothing to keep), and whose document is
        to be for one plan alone: a person's word stays in force until he has taken it."""
        pinned = revisions.read_pinned(self._store)
        had = {
            name: peer.document
            for name, peer in self._known.peers.items()
            if peer.document is not None
        }
        return Order(
            without=frozenset(pinned.nodes if pinned is not None else ()) & had.keys(),
            expects={name: one.expects for name, one in had.items()},
        )

    async def _signed(self, new: Callable[[], Iterable[NewDocument]]) -> tuple[Signed, ...]:
        """Sign what is new, in a thread; MasterError where something stands against it."""
        with told():
            self.signer = read_signer(self._home)
            return await asyncio.to_thread(self._sign, tuple(new()), self.signer)

    def _still(self, signed: Iterable[Signed]) -> tuple[Signed, ...]:
        """Give what fits the nodes' records as they are now."""
        now = (one.on(self._known.peers.get(one.issued.node)) for one in signed)
        return tuple(one for one in now if one is not None)

    def _emptied(self, name: str) -> Iterator[NewDocument]:
        peer = self._known.peers.get(name)
        if peer is not None:
            version = rollout.next_version(peer, self.signer.root.epoch)
            yield NewDocument(peer, version, write_body(Body(())))

    async def _settled_work(self, file: bytes, order: Order = EVERYBODY) -> Work:
        """Do the slow part until no record changed under it."""
        for _ in range(TRIES):
            self._known.refresh(self._store, self._clock())
            with told():
                self.signer = read_signer(self._home)
                question = self._question(file)
                peers = dict(self._known.peers)
                work = await asyncio.to_thread(self._work, question, self.signer, peers, order)
            signed = self._still(work.signed)
            if len(signed) == len(work.signed):
                return replace(work, signed=signed)
        raise ServiceError(
            "conflict", "cannot roll out: nodes' records change all the time; try again"
        )

    def _question(self, file: bytes) -> Question:
        machines = (rollout.machine_of(one.node) for one in self._known.peers.values())
        leaving = (one for one in nodes.every_node(self._store) if one.state in LEAVING)
        return Question(
            file=file,
            machines=tuple(one for one in machines if one is not None),
            allocation=revisions.hold_allocation(self._store).value or Allocation(),
            library=self._preparing.library_state(),
            policy=self.signer.policy_envelope,
            without=frozenset(one.name for one in leaving),
        )

    def _work(
        self,
        question: Question,
        signer: Signer,
        peers: Mapping[str, Peer],
        order: Order,
    ) -> Work:
        """In a thread: compile, compare, write bodies, sign."""
        prepared = self._preparing.prepare(question, signer)
        plan = rollout.plan(prepared, peers, signer.root.epoch, self._clock(), order)
        return Work(prepared, plan, self._sign(plan.new, signer))

    def _sign(self, new: Iterable[NewDocument], signer: Signer) -> tuple[Signed, ...]:
        everything = tuple(new)
        self._library.ensure_all(one.body for one in everything)
        return tuple(rollout.sign(one, signer, int(self._clock())) for one in everything)

    def _old(self, now: float) -> Iterator[NewDocument]:
        """Give what is past half its life, or was signed under another root's keys or epoch.

        Each with its body as it stands, which is still the right one; not what was taken back.
        """
        root = self.signer.root
        for peer in self._known.peers.values():
            document = peer.document
            if document and not peer.took_back and rollout.is_old(document, self.signer, now):
                body = self._library.path(document.body).read_bytes()
                version = rollout.next_version(peer, root.epoch)
                yield NewDocument(peer, version, body, document.blobs, document.expects)

    def _commit_work(
        self,
        file: bytes,
        work: Work,
        same: Mapping[str, int],
        notes: tuple[str, ...],
        settled: Mapping[str, Standing] | None = None,
        left: tuple[str, ...] = (),
    ) -> Turn:
        """Commit a turn. `settled`: a person asked; `left`: he left these at what they have."""
        number, writes = self._revision(file, work.prepared, notes)
        wanted = {one.issued.node: one.issued.version for one in work.signed}
        turn = self._begin({**same, **wanted}, settled or {}, notes, number)
        ranges = revisions.hold_allocation(self._store)
        writes = (*writes, *revisions.put_allocation(ranges, work.prepared.allocation))
        writes = (*writes, revisions.put_applied(number))
        if settled is not None:
            writes = (*writes, revisions.put_pinned(self._pinned(number, left)))
        if settled is not None and not left:
            writes = (*writes, *self._known.caught_up())
        self._commit(turn, work.signed, writes)
        self._drop_old_revisions(number)
        if settled is not None and not left:
            self._known.restored = None
        self.applied = Applied(number, work.prepared.cluster, work.prepared.allocation)
        return turn

    def _pinned(self, revision: int, names: tuple[str, ...]) -> revisions.Pinned | None:
        if not names:
            return None
        return revisions.Pinned(at=self._clock(), rollout=0, revision=revision, nodes=names)

    def _revision(
        self, file: bytes, prepared: Prepared, notes: tuple[str, ...]
    ) -> tuple[int, tuple[Write, ...]]:
        """Give the revision's number, and what to write where it is a new one."""
        last = revisions.hold_revision(self._store, self.applied.revision).value
        bodies = {name: one.hash for name, one in sorted(prepared.nodes.items())}
        name = sha256(file).hexdigest()
        if last is not None and (last.file, last.bodies) == (name, bodies):
            return last.number, ()
        number = revisions.newest_revision(self._store) + 1
        revision = revisions.Revision(
            number=number, at=self._clock(), file=name, bodies=bodies, notes=notes
        )
        return number, revisions.add_revision(revision, file)

    def _drop_old_revisions(self, newest: int) -> None:
        """Say goodbye to what nobody needs; where the disk does not take that, with a later one."""
        old = revisions.outlived(self._store, newest)
        if old:
            with suppress(StoreError):
                self._store.commit(*revisions.dropped(old))
                listed = ", ".join(map(str, old))
                self._desk.remark(f"kept no longer: revision {listed}; the newest {KEPT} are")

    def _begin(
        self,
        wanted: Mapping[str, int],
        settled: Mapping[str, Standing] | None = None,
        notes: tuple[str, ...] = (),
        revision: int | None = None,
    ) -> Turn:
        number = self._known.newest_turn + 1
        at = self.applied.revision if revision is None else revision
        return begin(number, at, self._clock(), wanted, settled or {}, notes)

    def _commit(self, turn: Turn | None, signed: Iterable[Signed], more: Iterable[Write]) -> None:
        """Write all of it, tell those whom it is about. StoreError: nothing of it happened."""
        snapshot, deed, peers = self._known.snapshot(), Deed(), self._known.peers
        deed.batch.add(more)
        for one in signed:
            self._take(one, deed)
        if turn is not None:
            self._take_turn(turn, deed)
        told = dict.fromkeys(one.issued.node for one in signed)
        if turn is not None:
            told |= dict.fromkeys(name for name in turn.nodes if turn.asks(name))
        deed.frames += call(peers[name] for name in told if name in peers)
        try:
            self._desk.finish(deed)
        except ConflictError as error:
            self._known.restore(snapshot)
            raise ServiceError("conflict", f"cannot roll out: {error}; apply again") from error
        except StoreError as error:
            self._known.restore(snapshot)
            raise ServiceError("unavailable", str(error)) from error

    def _take(self, signed: Signed, deed: Deed) -> None:
        deed.batch.add(signed.writes())
        peer = self._known.peers[signed.issued.node]
        held = replace(peer.held, value=signed.node)
        self._known.put(replace(peer, held=held, document=signed.issued))
        deed.frames.append(grant(self._known.peers[signed.issued.node]))

    def _take_turn(self, turn: Turn, deed: Deed) -> None:
        for older in tuple(self._known.turns.values()):
            if older.number == turn.number:
                continue
            names = [name for name in turn.nodes if older.wants(name)]
            after = supersede(older, names, turn.began)
            if after is not older:
                self._known.put_turn(after, names)
                deed.add_turn(after, names)
        self._known.put_turn(turn, turn.nodes)
        deed.add_turn(turn, turn.nodes)
        deed.batch.add(outlived(self._store, turn.number))


def beside(number: int, what: str) -> str:
    """Say that something cannot be done because of a rollout that is not over."""
    return (
        f"cannot {what}: rollout {number} is not over; wait for its end (saltern rollout watch "
        f"{number}), or end it as it is (saltern rollout abort {number}), or take it back (saltern "
        f"rollout undo {number})"
    )


@contextmanager
def told() -> Iterator[None]:
    """Tell what stands against signing (a policy that expired, a full disk) as our own error."""
    try:
        yield
    except ProtocolError as error:
        raise ServiceError("invalid", str(error)) from error
    except OSError as error:
        what = error.strerror or type(error).__name__
        raise ServiceError("unavailable", f"cannot sign: {error.filename}: {what}") from error
