"""Wires the parts: the agent without end, and a keeper for one command where none runs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from saltern_protocol.documents import Identity
from saltern_protocol.errors import ProtocolError
from saltern_states.body import BodyError
from saltern_states.contract import Change

from saltern_agent.answers import Answers, apply_end, plan_end, refusal
from saltern_agent.control import AskApply, AskPlan, Client, Control, Question
from saltern_agent.converge import Done
from saltern_agent.events import (
    End,
    Line,
    done_line,
    drift_line,
    healed_line,
    making_line,
    planned_line,
)
from saltern_agent.host.boot import RunMark
from saltern_agent.host.node import Node, event_sources
from saltern_agent.host.notify import notify
from saltern_agent.journal import Drift, Journal, JournalError
from saltern_agent.keeper import Keeper
from saltern_agent.log import ERROR, WARNING, standard_log
from saltern_agent.loop import Agent, Clocks, Turns
from saltern_agent.places import Lock, Places, SettingsError, read_identity
from saltern_agent.plan import Planned
from saltern_agent.steps import Step
from saltern_agent.worker import Worker

CLOCKS = Clocks(time.time, time.monotonic, time.process_time)  # noqa: TID251  # the shell's clocks


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes lines of what the keeper does."""

    hear: Callable[[Line], None]

    def planned(self, planned: Planned) -> None:
        """One step was planned."""
        self.hear(planned_line(planned))

    def making(self, step: Step, change: Change, cause: str) -> None:
        """A change is about to be made."""
        self.hear(making_line(step, change, cause))

    def done(self, done: Done, cause: str) -> None:
        """One step was gone through."""
        self.hear(done_line(done, cause))

    def drifted(self, planned: Planned, seen: str, took: float) -> None:
        """Drift was recorded."""
        self.hear(drift_line(planned, seen, took))

    def healed(self, drift: Drift, outcome: str, now: float) -> None:
        """Drift ended."""
        self.hear(healed_line(drift, outcome, now))


def run_agent(places: Places) -> int:
    """Hold the node until a signal comes."""
    identity, lock = read_identity(places), Lock(places)
    log = standard_log(os.environ.get("INVOCATION_ID"))
    turns = Turns()

    def hear(line: Line) -> None:
        def tell() -> None:
            log.hear(line)
            answers.hear(line)

        worker.post(tell)

    def answer(question: Question, client: Client) -> None:
        answers.answer(question, client)

    worker = Worker(lambda: _keeper(places, identity, hear))
    agent = Agent(
        worker,
        event_sources(places.root),
        CLOCKS,
        turns,
        ready=lambda: notify(os.environ, "READY=1"),
        complain=lambda trouble: log.say(trouble, WARNING),
    )
    answers = Answers(agent, partial(_history, places))
    log.say(f"holding node {identity.node} of cluster {identity.cluster}")
    try:
        control = Control(places.control, answer)
    except OSError as error:
        raise SettingsError(
            f"cannot listen at {places.control}: {error}; see that root can write in {places.run}"
        ) from error
    fault = agent.run(control)
    lock.release()
    if fault is not None:
        known = isinstance(fault, JournalError | SettingsError)
        log.say(str(fault) if known else f"cannot go on: {type(fault).__name__}: {fault}", ERROR)
        return 1
    return 0


def _history(places: Places, most: int) -> tuple[Drift, ...]:
    journal = Journal(places.journal)
    try:
        return journal.drift(most)
    finally:
        journal.close()


def work_here(places: Places, question: AskPlan | AskApply) -> Iterator[Line]:
    """Do in this process what the running agent would do; the lines come as they are told."""
    identity, lock = read_identity(places), Lock(places)
    told: list[Line] = []
    worker = Worker(
        lambda: _keeper(places, identity, lambda line: worker.post(lambda: told.append(line)))
    )
    worker.start(lambda error: told.append(_fault(error)))

    def job(keeper: Keeper) -> End:
        keeper.load()
        if isinstance(question, AskPlan):
            return plan_end(keeper, question.statement, CLOCKS.monotonic)
        return apply_end(keeper, question.statement, CLOCKS.monotonic)

    worker.submit(job, lambda end: told.append(_fault(end) if isinstance(end, Exception) else end))
    while True:
        worker.wait()
        worker.collect()
        yield from told
        if told and isinstance(told[-1], End):
            break
        told.clear()
    worker.stop(timeout=1)
    lock.release()


def _fault(error: Exception) -> End:
    if isinstance(error, OSError):  # of what the agent itself keeps: ports tell HostError
        return refusal(SettingsError(f"cannot work on this node: {error}"))
    if isinstance(error, ProtocolError | BodyError | JournalError | SettingsError):
        return refusal(error)
    raise error


def _keeper(places: Places, identity: Identity, hear: Callable[[Line], None]) -> Keeper:
    journal = Journal(places.journal)  # first: without it there is nothing to hold the node to
    node = Node(places.blobs, places.hashes, places.config, root=places.root)
    node.sweep(journal.owned().values())
    return Keeper(
        host=node,
        journal=journal,
        identity=identity,
        clock=CLOCKS.wall,
        listener=Teller(hear),
        boot=RunMark(places.boot),
    )
