"""The watch over a node's parts, in the loop's thread: when they are looked at, and what is said.

* A round is every EVERY seconds, sooner after an answer that failed to come, and at once after an
  apply. It is made by a thread of its own (looking.py): neither the loop nor the keeper waits.
* A round that does not end within STUCK seconds makes all parts unknown.
* The condition is said whole: when the link asks for it (after each Hello), and when something of
  it is news, at most once in PAUSE seconds.
* The traps (doctor) are looked for every FINDINGS_EVERY seconds and after an apply, by that thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Final

from saltern_protocol.condition import MAX_FINDINGS, Finding, Part, State
from saltern_protocol.errors import printable
from saltern_protocol.messages import Condition, Message
from saltern_states.body import Body

from saltern_agent.health.damping import Kept, Moment, damped
from saltern_agent.health.looking import Found, Looks
from saltern_agent.health.values import Judged, Wanted
from saltern_agent.health.wanted import wanted_of
from saltern_agent.items import cut, micro
from saltern_agent.loop import Agent, Link
from saltern_agent.status import LinkStatus
from saltern_agent.worker import Worker

EVERY: Final = 15.0
AGAIN: Final = 5.0
STUCK: Final = 60.0
PAUSE: Final = 2.0
FINDINGS_EVERY: Final = 300.0
STOPPING: Final = 1.0
MAX_WHY: Final = 1024
HANGS: Final = Judged(
    State.UNKNOWN,
    f"the look at this node's parts has not ended for {STUCK:.0f} s: what it reads hangs",
)

Examine = Callable[[Body], tuple[Finding, ...]]


@dataclass(slots=True)
class Due:
    """When what is due next. Monotonic seconds."""

    look: float = 0.0
    findings: float = 0.0
    say: float = math.inf
    stuck: float = math.inf  # the round under way has to have ended
    paused: float = 0.0  # nothing is said before


@dataclass(slots=True)
class HealthWatch:
    """What is known of the node's parts. All of it is for the loop's thread."""

    agent: Agent
    worker: Worker[Looks]
    node: str
    state: str  # where the agent's own state lies
    say: Callable[[Message], None]
    examine: Examine
    body: Body | None = None
    wanted: Wanted = field(default_factory=Wanted)
    kept: dict[str, Kept] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    told: tuple[tuple[Part, ...], tuple[Finding, ...]] = ((), ())
    under_way: bool = False
    due: Due = field(default_factory=Due)
    held: tuple[object, ...] = ()  # by which the body is known
    applied: int = 0  # applies that had ended
    started: bool = False

    def start(self) -> None:
        """Begin; the first round follows when it is known what the node has to have."""
        self.started, self.due.look = True, math.inf
        self.worker.start(lambda error: self.agent.complain(f"health is not looked at: {error}"))

    def fileno(self) -> int:
        """Give the descriptor to poll."""
        return self.worker.fileno()

    def wait(self, monotonic: float) -> float:
        """Give the seconds until something is due."""
        due = self.due
        first = min(due.say, due.stuck, math.inf if self.under_way else due.look)
        return max(0.0, first - monotonic)

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Take what was found, and do what is due."""
        if self.worker.fileno() in woken:
            self.worker.collect()
        self._follow()
        if self.due.stuck <= monotonic:
            self.due.stuck = math.inf
            self._take(tuple((name, HANGS) for name in self.kept))
        if self.due.look <= monotonic and not self.under_way:
            self._look(monotonic)
        if self.due.say <= monotonic:
            self._tell(monotonic)

    def condition(self) -> Condition | None:
        """Give how the node is; None: it is not known yet."""
        if not self.kept:
            return None
        self.told = self._now()
        parts, findings = self.told
        return Condition(at_us=micro(self.agent.clocks.wall()), parts=parts, findings=findings)

    def stop(self) -> None:
        """End; a round that hangs is left behind."""
        if self.started:  # else the agent had to end before there was anything to look at
            self.worker.submit(lambda looks: looks.close(), lambda _: None)
            self.worker.stop(STOPPING)

    def _follow(self) -> None:
        """Have the body told by whose thread it is, when it is another one."""
        status, turns = self.agent.status, self.agent.turns
        if turns.ended != self.applied:
            self.applied, self.due.look, self.due.findings = turns.ended, 0.0, 0.0
        if status is None:
            return
        held = (status.version, status.body, status.taken_back)
        if held != self.held:
            self.held = held
            self.agent.worker.submit(lambda keeper: keeper.body, self._has)

    def _has(self, body: Body | Exception) -> None:
        if isinstance(body, Exception):
            self.agent.complain(f"health is not looked at: {body}")
            return
        self.body = body
        self.wanted = wanted_of(body, self.node, self.state)
        self.due.look = self.due.findings = 0.0

    def _look(self, monotonic: float) -> None:
        if self.body is None:
            self.due.look = math.inf
            return
        body, wanted = self.body, self.wanted
        self.under_way, self.due.stuck = True, monotonic + STUCK
        self.due.look = monotonic + EVERY
        self.worker.submit(lambda looks: looks.look(wanted), self._looked)
        if self.due.findings <= monotonic:
            self.due.findings = monotonic + FINDINGS_EVERY
            self.worker.submit(lambda _: self.examine(body), self._examined)

    def _looked(self, found: Found | Exception) -> None:
        self.under_way, self.due.stuck = False, math.inf
        if isinstance(found, Exception):
            self.agent.complain(f"a look at this node's health failed: {found}")
            found = tuple((name, failed(found)) for name in self.kept or ("machine",))
        self._take(found)

    def _examined(self, findings: tuple[Finding, ...] | Exception) -> None:
        if isinstance(findings, Exception):
            self.agent.complain(f"a look for what could go wrong here failed: {findings}")
            return
        self.findings = findings[:MAX_FINDINGS]
        self._news(self.agent.clocks.monotonic())

    def _take(self, found: Found) -> None:
        clocks = self.agent.clocks
        now = Moment(clocks.wall(), clocks.monotonic())
        self.kept = {name: damped(self.kept.get(name), one, now) for name, one in found}
        if any(one.lost for one in self.kept.values()):
            self.due.look = min(self.due.look, now.steady + AGAIN)
        self._news(now.steady)

    def _news(self, monotonic: float) -> None:
        if self.kept and self._now() != self.told:
            self.due.say = max(monotonic, self.due.paused)

    def _tell(self, monotonic: float) -> None:
        self.due.say, self.due.paused = math.inf, monotonic + PAUSE
        condition = self.condition()
        if condition is not None:
            self.say(condition)

    def _now(self) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
        return tuple(part(name, one) for name, one in self.kept.items()), self.findings


def part(name: str, kept: Kept) -> Part:
    """Give a part as it is told."""
    why = cut(printable(kept.why), MAX_WHY)
    return Part(name=name, state=kept.state, why=why, since_us=micro(kept.since.wall))


def failed(error: Exception) -> Judged:
    """Judge a part whose look failed as a whole."""
    return Judged(State.UNKNOWN, f"the look at it failed: {type(error).__name__}: {error}")


class Beside:
    """A link, and the watch beside it."""

    def __init__(self, link: Link, watch: HealthWatch) -> None:
        self._link, self._watch = link, watch

    def start(self) -> None:
        """Begin."""
        self._link.start()
        self._watch.start()

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors to poll."""
        return (*self._link.filenos(), self._watch.fileno())

    def wait(self, monotonic: float) -> float:
        """Give the seconds until something is due."""
        return min(self._link.wait(monotonic), self._watch.wait(monotonic))

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Take what has come; what the link is to say, it says in its next turn."""
        self._watch.turn(monotonic, woken)
        self._link.turn(monotonic, woken)

    def status(self) -> LinkStatus | None:
        """Say how the link stands."""
        return self._link.status()

    def stop(self) -> None:
        """End."""
        self._watch.stop()
        self._link.stop()
