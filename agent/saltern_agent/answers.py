"""Answers to what is asked over the control socket: status at once, all else by the worker."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from saltern_agent.applying import BY_HAND, KNOWN, Applying, refusal
from saltern_agent.control import (
    AskApply,
    AskDrift,
    AskLook,
    AskPlan,
    AskRevert,
    AskStatus,
    Client,
    Question,
)
from saltern_agent.drift_record import Drift
from saltern_agent.durable import NotDurableError
from saltern_agent.events import End, Line
from saltern_agent.history import History
from saltern_agent.journal import JournalError
from saltern_agent.keeper import Keeper
from saltern_agent.loop import Agent, Look
from saltern_agent.plan_digest import digest
from saltern_agent.status import LinkStatus, Status
from saltern_agent.taking_back import take_back

MOST_DRIFT = 10_000


class DriftList(msgspec.Struct, frozen=True, tag_field="type", tag="drift-list"):
    """The answer to AskDrift: newest first."""

    drift: tuple[Drift, ...]


class StatusLine(msgspec.Struct, frozen=True, tag_field="type", tag="status"):
    """The answer to AskStatus."""

    status: Status
    pid: int
    working: bool
    link: LinkStatus | None = None  # to the master; None: this node has none


@dataclass(slots=True)
class Answers:
    """Answers clients, and lets the one whose job is under way follow it."""

    agent: Agent
    history: History
    follower: Client | None = None
    applying: Applying = field(init=False)

    def __post_init__(self) -> None:
        self.applying = Applying(self.agent)

    def begin(self) -> None:
        """Open what drift is read from, so that no question leaves more open than there was."""
        try:
            self.history.begin()
        except JournalError:
            return  # each question tries again, and tells
        except NotDurableError as error:
            self.agent.fail(error)

    def hear(self, line: Line) -> None:
        """Pass a line on to the client whose job is under way; in the loop's thread."""
        if self.follower is not None:
            self.follower.say(line)

    def answer(self, question: Question, client: Client) -> None:
        """Answer one question."""
        match question:
            case AskStatus():
                self._status(client)
            case AskDrift():
                self._drift(question, client)
            case AskLook():
                self._look(client)
            case AskPlan():
                self._plan(question, client)
            case AskApply():
                self._apply(question, client)
            case AskRevert():
                take_back(self.agent, client.say)

    def _status(self, client: Client) -> None:
        status = self.agent.status
        if status is None:
            client.say(End(False, "the agent is still starting; ask again in a moment"))
            return
        working = self.agent.worker.waiting > 0
        client.say(StatusLine(status, os.getpid(), working, self.agent.link.status()))
        client.say(End(True))

    def _look(self, client: Client) -> None:
        def ended(look: Look | Exception) -> None:
            client.say(refusal(look) if isinstance(look, Exception) else look_end(look))

        status = self.agent.status
        if status is None or status.version is None:
            why = "nothing was accepted yet" if status else "the agent is still starting"
            client.say(End(False, f"cannot look: {why}"))
            return
        self.agent.look_now(ended)

    def _drift(self, question: AskDrift, client: Client) -> None:
        """From the journal's file and not by the worker: a repair may take its time, this not."""
        try:
            drift = self.history.newest(max(0, min(question.most, MOST_DRIFT)))
        except (JournalError, NotDurableError) as error:
            client.say(refusal(error))
            if isinstance(error, NotDurableError):
                self.agent.fail(error)
            return
        client.say(DriftList(drift))
        client.say(End(True))

    def _plan(self, question: AskPlan, client: Client) -> None:
        def job(keeper: Keeper) -> End:
            self._begin(client)
            return plan_end(keeper, question.statement, self.agent.clocks.monotonic)

        self.agent.worker.submit(job, lambda end: self._end(client, end))

    def _apply(self, question: AskApply, client: Client) -> None:
        self.applying.apply(
            question.statement,
            BY_HAND,
            lambda: self._begin(client),
            lambda end: self._end(client, end),
        )

    def _begin(self, client: Client) -> None:
        """From the worker's thread: what is told from now on is this client's."""
        self.agent.worker.post(lambda: setattr(self, "follower", client))

    def _end(self, client: Client, end: End | Exception) -> None:
        self.follower = None
        client.say(refusal(end) if isinstance(end, Exception) else end)
        if isinstance(end, Exception) and not isinstance(end, KNOWN):
            self.agent.fail(end)


def plan_end(keeper: Keeper, statement: bytes | None, monotonic: Callable[[], float]) -> End:
    """Plan, and sum it up."""
    began = monotonic()
    plan = keeper.plan(statement)
    hindered = sum(one.hindered for one in plan.steps)
    took = (monotonic() - began) * 1000
    return End(
        not hindered,
        changes=plan.changes,
        bad=hindered,
        milliseconds=took,
        digest=digest(plan).hex(),
    )


def look_end(look: Look) -> End:
    """Sum up a look."""
    return End(not look.off, bad=look.off, milliseconds=look.wall * 1000)
