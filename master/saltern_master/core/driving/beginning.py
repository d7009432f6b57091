"""Beginning rollouts: compile, plan, one commit. And the one that takes another back.

* Nobody is told of anything before the commit, which has the revision, the ranges, the rollout and
  all its nodes. Where nobody's body changes the rollout is done with that commit, and says so.
* The one that takes another back gives the revision before to all that got the other one's
  document; both are in one commit, so it is begun once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final

from msgspec.structs import replace

from saltern_master.api.rollouts import RolloutAsk
from saltern_master.api.service import ServiceError
from saltern_master.cluster.model import Cluster
from saltern_master.core.aim import meant
from saltern_master.core.bringing import Bringing, Compiled
from saltern_master.core.driving.book import Book
from saltern_master.core.driving.candidates import candidates, left_out, of_nobody, rises
from saltern_master.core.driving.driven import Driven, new_driven
from saltern_master.core.known import Known
from saltern_master.core.kube import Kubernetes
from saltern_master.core.prepare import Wanted
from saltern_master.records.revisions import hold_revision, put_applied
from saltern_master.records.rollouts import drop_file
from saltern_master.rollouts.begin import begin, taken_back
from saltern_master.rollouts.machine import steps
from saltern_master.rollouts.model import Event, Gone, Rollout, Tick, UndoBegun
from saltern_master.rollouts.wants import wants
from saltern_master.rollouts.waves import Candidate, Impact
from saltern_master.store import Store, Write

NOTHING: Final = "nothing to change: every node has it already"

Impacts = Callable[[Mapping[str, Wanted]], Awaitable[Mapping[str, Impact]]]
"""What a body means on each node, as the node itself says; who is not in it: unknown."""
Ended = Callable[[Driven, Mapping[str, str] | None], tuple[Write, ...]]


class Beginning:
    """Begins rollouts."""

    def __init__(
        self,
        store: Store,
        book: Book,
        known: Known,
        rolling: Bringing,
        kubernetes: Kubernetes,
        impacts: Impacts,
        ended: Ended,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._book, self._known = store, book, known
        self._rolling, self._kubernetes, self._impacts = rolling, kubernetes, impacts
        self._ended, self._clock = ended, clock

    async def begin(
        self, ask: RolloutAsk, file: bytes, queued: Driven | None
    ) -> tuple[Driven, Cluster]:
        """Begin what somebody asked for; MasterError: nothing was begun, and nobody told."""
        compiled = await self._rolling.compile(file)
        cluster = compiled.prepared.cluster
        bodies, notes = self._bodies(compiled, ask.target)
        who = await self._candidates(bodies, cluster)
        number = queued.number if queued is not None else self._book.next_number
        before, now = self._rolling.applied, self._clock()
        rollout = begin(
            number,
            compiled.revision,
            before.revision,
            ask.strategy,
            who,
            now,
            control_plane_first=rises(before.cluster, cluster),
        )
        notes = (*notes, *of_nobody(ask.strategy.max_unavailable, who))
        notes = notes if rollout.nodes else (NOTHING, *notes)
        driven = self._first_step(new_driven(rollout, ask.by, notes, ask.target), now)
        more = (*compiled.writes, put_applied(before.revision))
        if driven.head.ended:
            nodes = compiled.prepared.nodes
            given = {name: one.hash for name, one in nodes.items()}
            more = (*compiled.writes, *self._ended(driven, given))
        if queued is not None:
            more = (*more, drop_file(number))
        self._book.write(driven, more=more)
        return driven, cluster

    async def take_back(self, old: Driven) -> tuple[Driven, Cluster] | None:
        """Begin the rollout that takes another one back. MasterError.

        None: meanwhile somebody wants it no more.
        """
        target = old.rollout.before
        revision = hold_revision(self._store, target).value
        cluster = await self._rolling.cluster_of(target)
        if revision is None or cluster is None:
            text = f"cannot undo rollout {old.number}: revision {target} is kept no longer"
            raise ServiceError("conflict", text)
        touched = [one.name for one in taken_back(old.rollout, {})]
        hashes = {name: revision.bodies[name] for name in touched if name in revision.bodies}
        bodies = await self._rolling.wanted(hashes)
        known = {one.name: one for one in await self._candidates(bodies, cluster)}
        first = rises(await self._rolling.cluster_of(old.rollout.revision), cluster)
        now_open = self._book.open.get(old.number)
        if now_open is None or not wants(now_open.rollout).undo:
            return None
        old = now_open  # who was touched while this was planned is taken along
        back = taken_back(old.rollout, known)
        who = [one for one in back if one.name in revision.bodies]
        notes = _kept(one.name for one in back if one.name not in revision.bodies)
        number, now = self._book.next_number, self._clock()
        rollout = begin(
            number,
            target,
            old.rollout.revision,
            old.rollout.strategy,
            who,
            now,
            control_plane_first=first,
        )
        rollout = replace(rollout, undoes=old.number)
        driven = self._first_step(new_driven(rollout, old.head.by, notes), now)
        undone = old.moved(steps(old.rollout, (UndoBegun(),), now), now)
        undone = undone.with_head(undone_by=number)
        more = self._ended(driven if driven.head.ended else undone, None)
        self._book.write(undone, driven, more=more)
        return driven, cluster

    def _bodies(self, compiled: Compiled, target: str) -> tuple[dict[str, Wanted], tuple[str, ...]]:
        """Give who is to have which body, and what is to be said of others."""
        prepared, plan, peers = compiled.prepared, compiled.plan, self._known.peers
        named = meant(prepared, peers, self._known.gone, target)
        new = [one.peer.node.name for one in plan.new]
        wanted = {name: prepared.nodes[name] for name in new if name in named}
        settled = {name: one for name, one in plan.settled.items() if name in named}
        bodies = {
            name: one
            for name, one in wanted.items()
            if (document := peers[name].document) is None or document.body != one.hash
        }
        return bodies, (*prepared.notes, *plan.notes, *left_out(settled))

    async def _candidates(
        self, bodies: Mapping[str, Wanted], cluster: Cluster
    ) -> tuple[Candidate, ...]:
        impacts = await self._impacts(bodies)
        look = await self._kubernetes.look()
        return candidates(
            bodies, cluster, self._known.peers, self._known.gone.keys(), look, impacts
        )

    def _first_step(self, driven: Driven, now: float) -> Driven:
        return driven.moved(steps(driven.rollout, (*self._away(driven.rollout), Tick()), now), now)

    def _away(self, rollout: Rollout) -> Iterable[Event]:
        gone = self._known.gone
        return (Gone(name) for name, one in rollout.nodes.items() if name in gone)


def _kept(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(
        f"{name} was not there before: it keeps what it has; to take that back: "
        f"saltern node remove {name}"
        for name in sorted(names)
    )
