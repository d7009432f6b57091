"""What rollouts need of who makes documents: a file compiled, and bodies given to some nodes.

* compile() commits nothing and tells nobody: its writes go with the rollout's own first commit.
* apply_planned() gives documents that are good for one plan each: see records/documents.py.
* issue() is one commit with what the rollout notes of it, so a node is given its document once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec
from saltern_states.body import BodyError, read_body

from saltern_master.api.plans import Expected
from saltern_master.api.service import ServiceError
from saltern_master.cluster.model import Cluster
from saltern_master.compile.allocation import Allocation
from saltern_master.core import rollout
from saltern_master.core.peer import Peer
from saltern_master.core.prepare import Prepared, Question, Wanted
from saltern_master.core.rolling import Applied, Rolling, told
from saltern_master.core.rollout import NewDocument, Order, Rollout
from saltern_master.core.signer import Signer, read_signer
from saltern_master.core.stale import other_body, stale
from saltern_master.core.turns import Turn
from saltern_master.records import revisions
from saltern_master.store import Write

Bodies = dict[str, tuple[bytes, tuple[str, ...]]]


@dataclass(frozen=True, slots=True)
class Compiled:
    """A cluster file, before anybody has it. Its bodies are in the library."""

    file: bytes
    prepared: Prepared
    plan: Rollout
    revision: int
    writes: tuple[Write, ...]  # that record it


class Bringing(Rolling):
    """Rolling, node by node."""

    async def compile(self, file: bytes) -> Compiled:
        """Compile a file for a rollout. ServiceError."""
        async with self._one:
            self._known.refresh(self._store, self._clock())
            with told():
                self.signer = read_signer(self._home)
                question = self._question(file)
                peers = dict(self._known.peers)
                prepared, plan = await asyncio.to_thread(
                    self._compared, question, self.signer, peers
                )
            number, writes = self._revision(file, prepared, prepared.notes)
            ranges = revisions.hold_allocation(self._store)
            writes += revisions.put_allocation(ranges, prepared.allocation)
            return Compiled(file, prepared, plan, number, writes)

    async def issue(
        self,
        bodies: Mapping[str, str],
        revision: int,
        of: int,
        note: Callable[[Turn], Iterable[Write]],
    ) -> Turn | None:
        """Give bodies of the library to these nodes, as one turn of rollout `of`. MasterError.

        `note`: what is written in the same commit. Who is not known, or changed meanwhile, is not
        in the turn; None: so is everybody.
        """
        async with self._one:
            with told():
                read = await asyncio.to_thread(self._library_bodies, frozenset(bodies.values()))
            epoch, now = self.signer.root.epoch, self._clock()
            peers = self._known.peers
            here = {name: peers[name] for name in bodies if name in peers}
            same = {
                name: peer.node.version
                for name, peer in here.items()
                if rollout.keeps(peer, bodies[name], epoch, now)
            }
            new = tuple(
                NewDocument(peer, rollout.next_version(peer, epoch), *read[bodies[name]])
                for name, peer in here.items()
                if name not in same
            )
            signed = self._still(await self._signed(lambda: new)) if new else ()
            wanted = same | {one.issued.node: one.issued.version for one in signed}
            if not wanted:
                return None
            begun = self._begin(wanted, revision=revision)
            turn = msgspec.structs.replace(begun, purpose="rollout", rollout=of)
            self._commit(turn, signed, note(turn))
            return turn

    async def apply_planned(self, file: bytes, expects: Mapping[str, Expected]) -> Turn:
        """Roll out a cluster file to these nodes alone, each for the plan that it told.

        Who is not named keeps what he has until somebody applies to all. MasterError.
        """
        digests = {name: one.digest for name, one in expects.items()}
        async with self._one:
            self.refuse_beside_rollout()
            order = Order(frozenset(expects), expects=digests, by_person=True)
            work = await self._settled_work(file, order)
            bodies = {name: one.hash for name, one in work.prepared.nodes.items()}
            other = {
                name: other_body(name, bodies.get(name, ""))
                for name, one in expects.items()
                if bodies.get(name) != one.body or name in work.rollout.settled
            }
            if other:
                raise stale(other)
            peers = self._known.peers
            same = {name: peers[name].node.version for name in work.rollout.same}
            left = tuple(
                name
                for name, body in sorted(bodies.items())
                if name not in expects and _has_another(peers[name], body)
            )
            notes = (*work.prepared.notes, *(f"{name} keeps what it has" for name in left))
            return self._commit_work(file, work, same, notes, {}, left)

    async def wanted(self, bodies: Mapping[str, str]) -> dict[str, Wanted]:
        """Give these bodies of the library as what nodes that are known shall be. MasterError."""
        with told():
            read = await asyncio.to_thread(self._library_bodies, frozenset(bodies.values()))
        found = {}
        for name, one in bodies.items():
            peer = self._known.peers.get(name)
            if peer is not None:
                body, blobs = read[one]
                kinds = frozenset(peer.node.kinds)  # it had this body before, so it knows them
                found[name] = Wanted(name, peer.node.node_class, body, one, kinds, blobs)
        return found

    def take_applied(self, number: int, cluster: Cluster | None) -> None:
        """Take notice that a revision is the applied one; it is in the store."""
        allocation = revisions.hold_allocation(self._store).value or Allocation()
        self.applied = Applied(number, cluster, allocation)

    def drop_old_revisions(self) -> None:
        """Say goodbye to what nobody needs any more."""
        self._drop_old_revisions(self.applied.revision)

    def _compared(
        self, question: Question, signer: Signer, peers: Mapping[str, Peer]
    ) -> tuple[Prepared, Rollout]:
        """In a thread: compile, compare, write bodies."""
        prepared = self._preparing.look_ahead(question, signer)
        plan = rollout.plan(prepared, peers, signer.root.epoch, self._clock())
        self._library.ensure_all(one.body for one in plan.new)
        return prepared, plan

    def _library_bodies(self, hashes: Iterable[str]) -> Bodies:
        """In a thread: give bodies, each with the blobs that it needs."""
        found: Bodies = {}
        for one in hashes:
            body = self._library.path(one).read_bytes()
            try:
                found[one] = (body, tuple(sorted(read_body(body).blobs)))
            except BodyError as error:
                text = f"cannot give body {one[:12]} any more, another release made it: {error}"
                raise ServiceError("invalid", text) from error
        return found


def _has_another(peer: Peer, body: str) -> bool:
    """Tell whether a node has a document of another body; who has none gets its first as ever."""
    return peer.document is not None and peer.document.body != body
