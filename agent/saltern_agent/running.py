"""Wires the parts: the agent without end, and a keeper for one command where none runs."""

from __future__ import annotations

import faulthandler
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from saltern_protocol.documents import Identity
from saltern_protocol.errors import ProtocolError
from saltern_states.body import Body, BodyError
from saltern_states.certificate import Certificate
from saltern_states.contract import Change
from saltern_states.ports import HostError

from saltern_agent.answers import Answers, plan_end
from saltern_agent.applying import apply_end, refusal
from saltern_agent.confirm import Proof, could_cut_off
from saltern_agent.control import AskApply, AskPlan, AskRevert, Client, Control, Question
from saltern_agent.converge import Done
from saltern_agent.doctor.examine import examine
from saltern_agent.drift_record import Drift
from saltern_agent.durable import NotDurableError
from saltern_agent.events import (
    End,
    Line,
    done_line,
    drift_line,
    healed_line,
    making_line,
    planned_line,
)
from saltern_agent.giving_up import rest
from saltern_agent.health.looking import Looking
from saltern_agent.health.watch import Beside, HealthWatch
from saltern_agent.history import History
from saltern_agent.host.boot import RunMark
from saltern_agent.host.certificates import never_joined, no_master
from saltern_agent.host.node import Node, event_sources
from saltern_agent.host.notify import notify
from saltern_agent.host.revert_timer import SystemdTimer, has_systemd
from saltern_agent.journal import Journal, JournalError
from saltern_agent.keeper import Keeper
from saltern_agent.leaving import NO_NODE, RemovedError, let_go
from saltern_agent.link.joined import master_link
from saltern_agent.link.proving import ProvingLink
from saltern_agent.link.upgrading import UpgradingLink
from saltern_agent.log import ERROR, WARNING, Log, standard_log
from saltern_agent.loop import Agent, Clocks, Turns
from saltern_agent.outbox import NoOutbox, Outbox, TableOutbox
from saltern_agent.places import (
    USUAL,
    Lock,
    Master,
    Places,
    SettingsError,
    read_identity,
    read_master,
    refuse_shared,
)
from saltern_agent.plan import Planned
from saltern_agent.steps import Step
from saltern_agent.supervised import Supervised, seconds_allowed
from saltern_agent.taking_back import revert_end
from saltern_agent.trying import Confirming, NoTimer, Timer, nobody
from saltern_agent.upgrade.ground import machine_ground
from saltern_agent.worker import Worker

KNOWN_FAULTS = (ProtocolError, BodyError, JournalError, NotDurableError, SettingsError)
CLOCKS = Clocks(time.time, time.monotonic, time.process_time)  # noqa: TID251  # the shell's clocks


@dataclass(frozen=True, slots=True)
class Teller:
    """Makes lines of what the keeper does, and says how long its repairs took by themselves."""

    hear: Callable[[Line], None]
    began: dict[str, float] = field(default_factory=dict)  # a resource's first change; monotonic
    took: dict[str, float] = field(default_factory=dict)  # seconds from there to its end

    def planned(self, planned: Planned) -> None:
        """One step was planned."""
        self.hear(planned_line(planned))

    def making(self, step: Step, change: Change, cause: str) -> None:
        """A change is about to be made."""
        self.began.setdefault(step.resource.id, CLOCKS.monotonic())
        self.hear(making_line(step, change, cause))

    def done(self, done: Done, cause: str) -> None:
        """One step was gone through."""
        name, now = done.step.resource.id, CLOCKS.monotonic()
        self.took[name] = now - self.began.pop(name, now)
        self.hear(done_line(done, cause))

    def drifted(self, drift: Drift, took: float) -> None:
        """Drift was recorded."""
        self.hear(drift_line(drift, took))

    def healed(self, drift: Drift, outcome: str, now: float) -> None:
        """Drift ended."""
        repair = self.took.get(drift.resource, 0.0) if outcome == "healed" else 0.0
        self.hear(healed_line(drift, outcome, now, repair))


def run_agent(places: Places) -> int:
    """Hold the node until a signal comes."""
    refuse_shared(places)
    identity, lock = read_identity(places), Lock(places)
    try:
        return _hold(places, identity, lock)
    except SettingsError:
        lock.release()  # this agent rests now; what broke its settings may be taken back meanwhile
        raise


def _hold(places: Places, identity: Identity, lock: Lock) -> int:
    master = read_master(places)
    log = standard_log(os.environ.get("INVOCATION_ID"))
    turns = Turns()
    supervised = _supervised()

    def hear(line: Line) -> None:
        def tell() -> None:
            log.hear(line)
            answers.hear(line)

        worker.post(tell)

    def answer(question: Question, client: Client) -> None:
        answers.answer(question, client)

    worker: Worker[Keeper] = Worker(lambda: _keeper(places, identity, hear, ways))
    agent = Agent(
        worker,
        event_sources(places.root),
        CLOCKS,
        turns,
        supervised,
        complain=lambda trouble: log.say(trouble, WARNING),
    )
    ways = _ways(agent, places, identity, master)
    answers = Answers(agent, History(places.journal))
    worker.submit(lambda _: None, lambda _: answers.begin())  # once the keeper has its journal
    log.say(f"holding node {identity.node} of cluster {identity.cluster}")
    try:
        control = Control(places.control, answer)
    except OSError as error:
        raise SettingsError(
            f"cannot listen at {places.control}: {error}; see that root can write in {places.run}"
        ) from error
    fault = agent.run(control)
    if isinstance(fault, RemovedError):
        return _left(places, identity, log)  # the lock is held until this process is no more
    lock.release()
    if fault is not None:
        known = isinstance(fault, JournalError | NotDurableError | SettingsError)
        log.say(str(fault) if known else f"cannot go on: {type(fault).__name__}: {fault}", ERROR)
        if agent.status is None:
            rest(os.environ.get("INVOCATION_ID"))
        return 1
    return 0


def _left(places: Places, identity: Identity, log: Log) -> int:
    """Be a node no more, after the agent's end; give the exit code."""
    try:
        aside = let_go(places, identity)
    except SettingsError as error:
        log.say(str(error), ERROR)
        return 1
    log.say(f"the master has removed node {identity.node} of cluster {identity.cluster}")
    log.say(f"what was known is put aside: {aside}; to be a node again: saltern-agent join TOKEN")
    return NO_NODE


def _supervised() -> Supervised:
    """Tell systemd of the loop; where it ends a silent one, the journal hears of all threads."""
    seconds = seconds_allowed(os.environ, os.getpid())
    if seconds < math.inf:
        faulthandler.enable()
    return Supervised(lambda state: notify(os.environ, state), seconds)


def work_here(places: Places, question: AskPlan | AskApply | AskRevert) -> Iterator[Line]:
    """Do in this process what the running agent would do; the lines come as they are told."""
    if isinstance(question, AskRevert):  # it may be our own settings that are to be taken back
        ways = _meanwhile(places)
    else:
        refuse_shared(places)
        ways = _alone() if read_master(places) is None else _meanwhile(places)
    identity, lock = read_identity(places), Lock(places)
    told: list[Line] = []

    def hear(line: Line) -> None:
        worker.post(lambda: told.append(line))

    worker = Worker(lambda: _keeper(places, identity, hear, ways))
    worker.start(lambda error: told.append(_fault(error)))

    def job(keeper: Keeper) -> End:
        keeper.load()
        if isinstance(question, AskPlan):
            return plan_end(keeper, question.statement, CLOCKS.monotonic)
        if isinstance(question, AskRevert):
            return revert_end(keeper)
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
    if isinstance(error, KNOWN_FAULTS):
        return refusal(error)
    raise error


@dataclass(frozen=True, slots=True)
class Ways:
    """The ways from a keeper to the master."""

    outbox: Outbox
    issue: Callable[[str, bytes], bytes]  # by resource
    unreached: Callable[[], str]
    confirming: Confirming


def _alone() -> Ways:
    return Ways(NoOutbox(), no_master, never_joined, nobody())


def _only_running(path: str, _request: bytes) -> bytes:
    raise HostError(f"cannot ask for {path}: {_not_running()}")


def _not_running() -> str:
    return "only the running agent speaks with the master; run: systemctl start saltern-agent"


def _meanwhile(places: Places) -> Ways:
    """Make the ways of a node that has joined, while its agent does not run.

    What it is to tell waits for that, and so does the proof of what it does.
    """
    log = standard_log(None)
    confirming = Confirming(
        could_cut_off,
        _timer(places),
        CLOCKS.monotonic,
        lambda _: None,
        lambda text: log.say(text, WARNING),
        Proof(),
    )
    outbox = TableOutbox(lambda: None, clock=CLOCKS.wall)
    return Ways(outbox, _only_running, _not_running, confirming)


def _ways(agent: Agent, places: Places, identity: Identity, master: Master | None) -> Ways:
    """Make the ways of a running agent, and its link if it has joined a master."""
    if master is None:
        return _alone()
    watch = HealthWatch(
        agent,
        Worker(lambda: Looking(CLOCKS.wall, places.root)),
        identity.node,
        str(places.state),
        lambda message: talking.say(message),
        lambda body: examine(body, CLOCKS.wall(), places.root),
    )
    talking, proof = master_link(places, identity, master, agent, watch.condition), Proof()
    link = ProvingLink(talking, agent, proof)
    ground = machine_ground(places.state, places.run)
    run = os.environ.get("INVOCATION_ID", "")
    agent.link = UpgradingLink(Beside(link, watch), agent, ground, run, talking.beat)
    agent.resting = ground.records.under_way
    confirming = Confirming(
        could_cut_off,
        _timer(places),
        CLOCKS.monotonic,
        lambda window: agent.worker.post(lambda: link.opened(window)),
        lambda text: agent.worker.post(lambda: agent.complain(text)),
        proof,
    )
    outbox = TableOutbox(talking.changed, clock=CLOCKS.wall)
    return Ways(outbox, link.issue, link.unreached, confirming)


def _timer(places: Places) -> Timer:
    """Give what runs `saltern-agent revert`, which finds what is kept in the usual places only."""
    return SystemdTimer() if places == USUAL and has_systemd() else NoTimer()


def _keeper(places: Places, identity: Identity, hear: Callable[[Line], None], ways: Ways) -> Keeper:
    journal = Journal(places.journal, ways.outbox)  # first: without it there is nothing to hold

    def issue(path: str, request: bytes) -> bytes:
        return ways.issue(_certified(keeper.body, path), request)

    node = Node(places.blobs, places.hashes, places.config, issue, ways.unreached, places.root)
    node.sweep(journal.owned().values())
    keeper = Keeper(
        host=node,
        journal=journal,
        identity=identity,
        clock=CLOCKS.wall,
        listener=Teller(hear),
        boot=RunMark(places.boot),
        confirming=ways.confirming,
        monotonic=CLOCKS.monotonic,
    )
    return keeper


def _certified(body: Body, path: str) -> str:
    """Give the resource whose certificate stands at a path: the master knows it by that."""
    for resource in body.resources:
        if isinstance(resource.spec, Certificate) and resource.spec.path == path:
            return resource.id
    raise HostError(f"cannot ask for {path}: the accepted body has no certificate there")
