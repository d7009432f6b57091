"""Plans that core asks nodes for: compiled and signed in a thread, told as they come.

* Nothing of a plan is in the store: it lives as long as core, and is asked anew by who wants it.
* A node is told another number than people are, which no core before has told: what it planned for
  that one, and says after it has found this one, is not taken for an answer.
* A node is asked for one plan at a time. The newest takes it from an older one, which says so.
* A node that cannot be asked (it has not joined, is locked, is too old) is settled at once.
* MOST_OPEN plans of people go on at a time; of those that ended KEPT are kept, the newest, and no
  more than MOST_TEXT of all their text. What is open together has as much.
* A saved plan is applied as it was, or refused with all that moved, and nothing is begun then:
  bodies are compiled again, nodes asked again, and each node asks itself once more before it
  accepts the document.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final

import msgspec
from saltern_protocol.messages import Plan as Page

from saltern_master.api.plans import Expected, NodePlan, PlanView
from saltern_master.api.service import ServiceError, TurnView
from saltern_master.core import planning
from saltern_master.core.aim import meant
from saltern_master.core.bringing import Bringing
from saltern_master.core.calls import grant, poke
from saltern_master.core.front import Line
from saltern_master.core.known import SPEAKING, Known
from saltern_master.core.peer import Offered
from saltern_master.core.planning import Moment, Plan
from saltern_master.core.prepare import Wanted
from saltern_master.core.rolling import told
from saltern_master.core.rollout import (
    NewDocument,
    hindrance,
    next_version,
    propose,
    without_body,
)
from saltern_master.core.signer import Signer
from saltern_master.core.stale import moved, other_body, stale
from saltern_master.core.turns import Limits, Standing, view_of
from saltern_master.library import Library
from saltern_master.records.revisions import revision_file
from saltern_master.signing.documents import PROPOSAL_LIFE, Proposed
from saltern_master.store import Store

MOST_OPEN: Final = 8
KEPT: Final = 32
MOST_TEXT: Final = 64 * 1024 * 1024
SHORTEST: Final = 0.05
LONGEST: Final = 5.0
LEFT: Final = "it left, was locked or joined anew while it was asked; plan again"


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of whom: what each node would be, and who cannot be asked, and why."""

    wanted: Mapping[str, Wanted]
    settled: Mapping[str, Standing] = field(default_factory=dict)
    file: str = ""  # SHA-256 of the cluster file
    notes: tuple[str, ...] = ()


class Going:
    """A plan, and those who wait for news of it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ends = list(plan.nodes)  # in the order in which they came
        self._changed = asyncio.Event()

    def become(self, plan: Plan) -> tuple[str, ...]:
        """Take what the plan is now; give who is waited for no longer."""
        ended = tuple(name for name in plan.nodes if name not in self.plan.nodes)
        self.plan = plan
        self.ends += ended
        if ended:
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
        return ended

    async def news(self) -> AsyncIterator[NodePlan]:
        """Give each node's plan as it is whole, until all are."""
        told = 0
        while True:
            while told < len(self.ends):
                yield self.plan.nodes[self.ends[told]]
                told += 1
            if self.plan.ended:
                return
            await self._changed.wait()


class Plans:
    """Asks nodes for plans."""

    def __init__(
        self,
        rolling: Bringing,
        store: Store,
        known: Known,
        line: Line,
        library: Library,
        limits: Limits,
        clock: Callable[[], float],
        random: Callable[[int], bytes],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rolling, self._store, self._known = rolling, store, known
        self._line, self._library = line, library
        self._limits = msgspec.structs.replace(limits, longest=float(PROPOSAL_LIFE))
        self._clock, self._monotonic = clock, monotonic
        self._plans: dict[int, Going] = {}
        self._number = 0
        self._before = int.from_bytes(random(4)) << 20
        self._stirred = asyncio.Event()

    # What people ask

    async def plan(self, file: bytes, target: str) -> PlanView:
        """Begin to plan a cluster file; an empty one: the one that was applied last. ServiceError.

        `target`: see targeting.py; "": all nodes of the file.
        """
        if sum(not one.plan.ended for one in self._plans.values()) >= MOST_OPEN:
            text = f"cannot plan: {MOST_OPEN} plans are under way; wait for one of them to end"
            raise ServiceError("conflict", text)
        file = file or self._applied()
        compiled = await self._rolling.compile(file)
        names = meant(compiled.prepared, self._known.peers, self._known.gone, target)
        question = Question(
            wanted={name: one for name, one in compiled.prepared.nodes.items() if name in names},
            settled={name: one for name, one in compiled.plan.settled.items() if name in names},
            file=sha256(file).hexdigest(),
            notes=(*compiled.prepared.notes, *compiled.plan.notes),
        )
        return planning.view_of((await self._begin(question)).plan)

    async def plan_so_far(self, number: int) -> PlanView:
        """Give a plan; not-found for one that is kept no longer."""
        return planning.view_of(self._going(number).plan)

    async def follow_plan(self, number: int) -> AsyncIterator[NodePlan | PlanView]:
        """Give each node's plan as it is whole; the PlanView when nobody is waited for."""
        going = self._going(number)
        async for one in going.news():
            yield one
        yield planning.view_of(going.plan)

    async def apply_planned(self, file: bytes, expects: Mapping[str, Expected]) -> TurnView:
        """Apply exactly what was planned, to these nodes; conflict where it is stale.

        An empty file: the one that was applied last.
        """
        if not expects:
            raise ServiceError("invalid", "cannot apply a plan: it is for no node")
        file = file or self._applied()
        self._rolling.refuse_beside_rollout()
        file = file or self._applied()
        compiled = await self._rolling.compile(file)
        bodies = compiled.prepared.nodes
        same = {
            name: bodies[name]
            for name, one in expects.items()
            if name in bodies and bodies[name].hash == one.body
        }
        faults = {
            name: other_body(name, bodies[name].hash if name in bodies else "")
            for name in expects
            if name not in same
        }
        view = await self.ask(Question(wanted=same, file=sha256(file).hexdigest()))
        for now in view.nodes:
            digest = expects[now.node].digest
            if now.digest != digest or not now.digest:
                faults[now.node] = moved(now.node, self._planned(now.node, digest), now)
        if faults:
            raise stale(faults)
        return view_of(await self._rolling.apply_planned(file, expects))

    # What core's other parts ask

    async def ask(self, question: Question, seconds: float | None = None) -> PlanView:
        """Ask nodes what they would change, and wait until all have told, or nobody waits more.

        `seconds`: after which who has not told stays `waiting`.
        """
        going = await self._begin(question)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                async for _ in going.news():
                    continue
        return planning.view_of(going.plan)

    def heard(self, name: str, page: Page) -> None:
        """Take a page of the plan that this node was asked for."""
        number = page.turn - self._before
        going = self._plans.get(number)
        if going is not None and self._is_offered(name, number):
            version = self._known.peers[name].session.held
            room = MOST_TEXT - sum(one.plan.weight for one in self._open())
            self._become(going, planning.take(going.plan, name, page, version, room, self._now()))

    def works(self, name: str) -> None:
        """Take a sign that a node is at work on what it was asked."""
        offered = self._known.peers[name].offered
        going = self._plans.get(offered.plan) if offered is not None else None
        if going is not None:
            self._become(going, planning.progressed(going.plan, name, self._monotonic()))

    def stir(self) -> None:
        """Something moved: look again what is due."""
        self._stirred.set()

    async def keep(self) -> None:
        """End what is due, without end."""
        while True:
            self._stirred.clear()
            self.pass_time()
            try:
                async with asyncio.timeout(self._pause()):
                    await self._stirred.wait()
            except TimeoutError:
                continue

    def pass_time(self) -> None:
        """End what is due now, and whoever left while it was asked."""
        for going in self._open():
            plan, now = going.plan, self._now()
            left = [name for name in plan.asked if not self._is_asked(name, plan.number)]
            plan = planning.refuse(plan, left, LEFT, now.wall)
            self._become(going, planning.pass_time(plan, self._gone(plan), now, self._limits))

    # How a plan begins and ends

    async def _begin(self, question: Question) -> Going:
        """Ask. Who joined anew while his proposal was signed is not asked."""
        new, settled = self._sorted(question)
        signer = self._rolling.signer
        with told():
            proposed = await asyncio.to_thread(self._signed, new, signer)
        now, wanted = self._now(), question.wanted
        here = {name: one for name, one in proposed.items() if self._still(new[name])}
        gone = {name: Standing(result="refused", why=LEFT) for name in proposed.keys() - here}
        settled |= gone
        self._number += 1
        plan = Plan(
            number=self._number,
            revision=self._rolling.applied.revision,
            file=question.file,
            began=now.wall,
            since=now.steady,
            notes=question.notes,
            asked={name: planning.Asked(wanted[name].hash, now.steady) for name in here},
            nodes={name: _settled(name, one, wanted.get(name)) for name, one in settled.items()},
        )
        for older in self._open():
            why = f"superseded by plan {plan.number}"
            self._become(older, planning.refuse(older.plan, here, why, now.wall))
        for name, one in here.items():
            peer = self._known.peers[name]
            offered = Offered(plan.number, self._before + plan.number, one)
            self._known.put(replace(peer, offered=offered))
        asked = [self._known.peers[name] for name in here]
        self._line.send([*map(grant, asked), *poke(asked)])
        going = self._plans[plan.number] = Going(planning.begun(plan, now.wall))
        self._forget_old()
        self.stir()
        return going

    def _sorted(self, question: Question) -> tuple[dict[str, NewDocument], dict[str, Standing]]:
        """Give what is signed for whom, and who cannot be asked."""
        epoch, new, settled = self._rolling.signer.root.epoch, {}, dict(question.settled)
        for name, wanted in question.wanted.items():
            peer = self._known.peers.get(name)
            hindered = (
                hindrance(peer.node, wanted)
                if peer is not None
                else without_body(name, wanted.node_class, None)
            )
            if hindered is None and peer is not None:
                version = next_version(peer, epoch)
                new[name] = NewDocument(peer, version, wanted.body, wanted.blobs)
            elif hindered is not None:
                settled[name] = hindered
        return new, settled

    def _signed(self, new: Mapping[str, NewDocument], signer: Signer) -> dict[str, Proposed]:
        """In a thread: write bodies that are not there, sign."""
        self._library.ensure_all(one.body for one in new.values())
        now = int(self._clock())
        return {name: propose(one, signer, now) for name, one in new.items()}

    def _still(self, new: NewDocument) -> bool:
        peer = self._known.peers.get(new.peer.node.name)
        return peer is not None and peer.node.incarnation == new.peer.node.incarnation

    def _become(self, going: Going, plan: Plan) -> None:
        """Take what a plan is now; who is waited for no more is offered nothing."""
        if plan is going.plan:
            return
        ended = going.become(plan)
        freed = [self._known.peers[name] for name in ended if self._is_offered(name, plan.number)]
        for peer in freed:
            self._known.put(replace(peer, offered=None))
        self._line.send(grant(self._known.peers[peer.node.name]) for peer in freed)
        if plan.ended:
            self._forget_old()

    def _forget_old(self) -> None:
        """Keep the newest of those that ended, as many as there is room for."""
        room, kept = MOST_TEXT, 0
        for number in sorted(self._plans, reverse=True):
            plan = self._plans[number].plan
            if not plan.ended:
                continue
            room, kept = room - plan.weight, kept + 1
            if kept > 1 and (kept > KEPT or room < 0):
                del self._plans[number]

    def _open(self) -> tuple[Going, ...]:
        return tuple(one for one in self._plans.values() if not one.plan.ended)

    def _going(self, number: int) -> Going:
        going = self._plans.get(number)
        if going is None:
            text = f"cannot find plan {number}: it is kept no longer; plan again"
            raise ServiceError("not-found", text)
        return going

    def _is_offered(self, name: str, number: int) -> bool:
        peer = self._known.peers.get(name)
        return peer is not None and peer.offered is not None and peer.offered.plan == number

    def _is_asked(self, name: str, number: int) -> bool:
        """Tell whether a node would still be heard on what it was asked."""
        return self._is_offered(name, number) and self._known.peers[name].node.state in SPEAKING

    def _planned(self, name: str, digest: str) -> NodePlan | None:
        """Give what a node told under this digest, if that is kept yet."""
        plans = (one.plan.nodes.get(name) for one in self._plans.values())
        return next((one for one in plans if one is not None and one.digest == digest), None)

    def _applied(self) -> bytes:
        file = revision_file(self._store, self._rolling.applied.revision)
        if file is None:
            text = "cannot take what was applied last: nothing was yet; give a cluster file"
            raise ServiceError("conflict", text)
        return file

    # Time

    def _now(self) -> Moment:
        return Moment(self._monotonic(), self._clock())

    def _gone(self, plan: Plan) -> dict[str, float]:
        """Give since when those who are waited for are not connected, by the steady clock."""
        now, gone = self._now(), self._known.gone
        return {name: now.steady - (now.wall - gone[name]) for name in plan.asked if name in gone}

    def _pause(self) -> float | None:
        due = [
            planning.next_due(one.plan, self._gone(one.plan), self._limits) for one in self._open()
        ]
        soonest = min((one for one in due if one is not None), default=None)
        if soonest is None:
            return None
        return min(max(soonest - self._monotonic(), SHORTEST), LONGEST)


def _settled(name: str, standing: Standing, wanted: Wanted | None) -> NodePlan:
    """Give the end of a node that was not asked."""
    return NodePlan(
        node=name,
        result="refused",
        impact="unknown",
        why=standing.why,
        body=wanted.hash if wanted is not None else "",
    )
