"""Deeds: what the agent does when the master asks, by the same ways as when a person asks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from saltern_protocol.errors import ProtocolError
from saltern_protocol.lease import Hold
from saltern_protocol.messages import UPGRADING, Condition, Doc, Health, Looked, Message
from saltern_protocol.reading import AnyFact
from saltern_protocol.report import Hindrance, Outcome
from saltern_states.body import BodyError

from saltern_agent.applying import Applying, Order
from saltern_agent.host.processes import program
from saltern_agent.host.vitals import Vitals
from saltern_agent.items import MAX_HINDRANCES, Asked, cut, hindrance, micro, reason_of, refused
from saltern_agent.journal import JournalError
from saltern_agent.keeper import Keeper
from saltern_agent.leaving import RemovedError, left_here
from saltern_agent.link.pages import no_plan, pages
from saltern_agent.link.progress import Progress
from saltern_agent.link.words import Refuse
from saltern_agent.loop import Agent, Look
from saltern_agent.plan import Plan
from saltern_agent.reading.pages import no_reading, reading_pages
from saltern_agent.reading.read import read_node
from saltern_agent.status import Status, status_of

MAX_WHY = 4096
Say = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class AgentDeeds:
    """What one agent does."""

    agent: Agent
    vitals: Callable[[], Vitals]
    condition: Callable[[], Condition | None] = lambda: None  # how its parts are, once it is known
    applying: Applying = field(init=False)
    progress: Progress = field(default_factory=Progress, init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "applying", Applying(self.agent))

    def health(self, nonce: bytes) -> Health:
        """Say how the agent is."""
        agent, status, vitals = self.agent, self.agent.status, self.vitals()
        state = status.state if status else "starting"
        # An upgrade that is under way is a part of what is applied: its result is yet to come.
        state = "applying" if agent.turns.applying else state
        state = UPGRADING if agent.resting() else state
        worker = agent.worker
        if self.progress.stuck(worker.waiting, worker.signs, agent.clocks.monotonic()):
            state = "stuck"
        return Health(
            tick=agent.ticks,
            at_us=micro(agent.clocks.wall()),
            state=state,
            version=(status.version or 0) if status else 0,
            drift=len(status.drift) if status else 0,
            load_percent=vitals.load_percent,
            memory_kib=vitals.memory_kib,
            disk_kib=vitals.disk_kib,
            nonce=nonce,
        )

    def take(self, order: Order, statement: bytes, over: Callable[[str], None]) -> None:
        """Apply a document; its result is told by the outbox, the code of a refusal by `over`."""
        self.applying.apply(statement, order, lambda: None, lambda end: over(end.reason))

    def consider(self, turn: int, proposal: bytes, say: Say) -> None:
        """Plan a proposal, and say the plan."""

        def job(keeper: Keeper) -> Plan:
            return keeper.consider(proposal)

        def ended(plan: Plan | Exception) -> None:
            if not isinstance(plan, Exception):
                for page in pages(turn, plan):
                    say(page)
            else:
                say(no_plan(turn, reason_of(plan), str(plan)))
                if not isinstance(plan, ProtocolError | BodyError | JournalError):
                    self.agent.fail(plan)

        self.agent.worker.submit(job, ended)

    def look(self, turn: int, say: Say) -> None:
        """Look at everything now, and say what came of it.

        After what is in hand: its result may be told already, and the status not yet be shown.
        """
        self.agent.worker.submit(lambda _: None, lambda _: self._look(turn, say))

    def _look(self, turn: int, say: Say) -> None:
        status = self.agent.status
        if status is None or status.version is None:
            why = "nothing was accepted yet" if status else "the agent is still starting"
            say(_not_looked(turn, self.agent.clocks.wall(), why))
            return

        def ended(look: Look | Exception) -> None:
            if isinstance(look, Exception):
                say(_not_looked(turn, self.agent.clocks.wall(), str(look)))
            else:
                say(looked(turn, look))

        self.agent.look_now(ended)

    def read(self, turn: int, say: Say) -> None:
        """Read the node for its adoption, after what is in hand, and say it page by page."""

        def ended(facts: tuple[AnyFact, ...] | Exception) -> None:
            if isinstance(facts, Exception):
                say(no_reading(turn, str(facts)))
                return
            for page in reading_pages(turn, facts):
                say(page)

        self.agent.worker.submit(lambda keeper: read_node(keeper.host, program), ended)

    def leave(self, hold: Hold | None, since: float) -> None:
        """Leave drift alone, or no longer; then all is looked at, and told or set right."""

        def job(keeper: Keeper) -> tuple[bool, Status]:
            return keeper.hold_off(hold, since), status_of(keeper)

        def ended(held: tuple[bool, Status] | Exception) -> None:
            if isinstance(held, Exception):
                self.agent.fail(held)
            elif held[0]:
                self.agent.show(held[1])
                self.agent.notices.full = True

        self.agent.worker.submit(job, ended)

    def let_go(self) -> None:
        """End the agent of a node that was removed; where something stands here, hold on to it."""

        def ended(left: str | Exception) -> None:
            if isinstance(left, Exception):
                self.agent.fail(left)
            elif left:
                self.agent.complain(f"the master has removed this node, and {left}")
            else:
                self.agent.fail(RemovedError("the master has removed this node"))

        self.agent.worker.submit(left_here, ended)

    def refuse(self, refusal: Refuse) -> None:
        """Tell of a refused document although the disk does not take it now."""
        offer, now = refusal.offer, self.agent.clocks.wall()
        if isinstance(offer, Doc):
            asked = Asked(offer.turn, now)
            told = refused(asked, offer.document, refusal.reason, refusal.why, now)
            self.agent.worker.submit(lambda keeper: keeper.ledger.tell(told), lambda _: None)

    def complain(self, trouble: str) -> None:
        """Tell people of a trouble that ends nothing."""
        self.agent.complain(trouble)

    def end(self, error: Exception) -> None:
        """End the agent: there is no going on after this error."""
        self.agent.fail(error)


def looked(turn: int, look: Look) -> Looked:
    """Tell what a look found and set right."""
    bad = _bad(look.status)
    return Looked(
        turn=turn,
        at_us=micro(look.at),
        version=look.status.version or 0,
        outcome=_outcome(look, bad),
        changes=look.changes,
        took_us=micro(look.wall),
        why=f"and {len(bad) - MAX_HINDRANCES} more" if len(bad) > MAX_HINDRANCES else "",
        hindrances=tuple(bad[:MAX_HINDRANCES]),
    )


def _outcome(look: Look, bad: list[Hindrance]) -> Outcome:
    if look.broken_off:
        return Outcome.SUPERSEDED
    if not bad and not look.off:
        return Outcome.CHANGED if look.changes else Outcome.CONVERGED
    blocked = bad and all(one.outcome == "blocked" for one in bad)
    return Outcome.BLOCKED if blocked else Outcome.FAILED


def _bad(status: Status) -> list[Hindrance]:
    """What is not as declared: what the last apply left, and what has drifted since."""
    bad = [hindrance(one.resource, one.outcome, one.why) for one in status.hindrances]
    if status.taken_back:
        bad.insert(0, hindrance("document", "failed", status.taken_back))
    known = {one.resource for one in bad}
    for drift in status.drift:
        if drift.resource not in known:
            why = drift.hindrance or "; ".join(drift.found)
            bad.append(hindrance(drift.resource, "drifted", why))
    return bad


def _not_looked(turn: int, now: float, why: str) -> Looked:
    return Looked(
        turn=turn,
        at_us=micro(now),
        version=0,
        outcome=Outcome.REFUSED,
        changes=0,
        took_us=0,
        why=cut(why, MAX_WHY),
    )
