"""One node and one master whose wall clocks are set, or stand still, while they speak.

The machines are those of talking.py; the messages between them all come through. Documents come,
the file they declare is edited, applies are slow, and old words of the master are said again: all
at moments drawn by the seed, in hours of virtual time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from saltern_agent.link import words
from saltern_master.core.alarms import CLOCK_OFF, Situation, alarms
from saltern_master.core.patience import Patience
from saltern_master.core.turns import Limits
from saltern_protocol import messages
from saltern_protocol.errors import RefusedError
from saltern_protocol.messages import Again, Doc, Lease, Poke

from tests.faults.talk_ether import Wall
from tests.faults.talk_master import NOW, SWEEP, Stage
from tests.faults.talking import Conversation

HOUR: Final = 3600.0
YEAR: Final = 365 * 24 * HOUR
JUMPS: Final = (HOUR, -HOUR, YEAR, -YEAR)
LIMITS: Final = Limits(grace=5.0, deadline=600.0, longest=6 * HOUR)
SLOW: Final = 300.0
"""Seconds of a slow apply; what is waited for so long must not end because a clock was set."""
TOLD_WITHIN: Final = 400.0
"""Seconds until a wrong clock is told: a Health comes every 15, core hears one a minute."""


@dataclass(slots=True)
class Wrong:
    """What must not be, counted."""

    accepted: int = 0  # older than what was held, or to its own clock expired
    believed: int = 0  # leases that answer no question
    expired: int = 0  # connections given up: the master was there all the time
    given_up: int = 0  # nodes' parts of turns that patience ended
    untold: int = 0  # wrong clocks that no alarm told of
    stuck: int = 0  # not at the newest document, once all clocks were right again

    def add(self, other: Wrong) -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def total(self) -> int:
        return sum(int(getattr(self, name)) for name in self.__slots__)


@dataclass
class Clocked(Conversation):
    """A conversation in which clocks are set."""

    stage: Stage
    directory: Path
    seed: int
    wrong: Wrong = field(default_factory=Wrong)
    steps: int = 0

    def __post_init__(self) -> None:
        super().__init__(self.stage, self.directory, self.seed)
        self.proxy.calm = 0.0
        self._told: list[messages.Message] = []
        self._version, self._up_at = 0, -1.0
        self._off_since = 0.0
        carry = self.master._send

        def send(route: bytes, data: bytes) -> bool:
            message = messages.from_master(data)
            if isinstance(message, Doc | Lease):
                self._told.append(message)
            return carry(route, data)

        self.master._send = send
        self.patience = Patience(
            self.master.known, self.master.desk, LIMITS, self.master_clock, self.master._log,
            lambda: self.ether.now,
        )  # fmt: skip

    def go(self, steps: int) -> Wrong:
        """Set a clock so many times; then set all right, and see that all is well."""
        if self.chance.random() < 0.5:
            self.node_clock.set_by(self.chance.choice(JUMPS))  # it joined with a wrong clock
        for _ in range(steps):
            self._step()
            self._pass(self.chance.choice((1.0, 30.0, 400.0, 1000.0)))
        self.master_clock.set_right(NOW)
        self.node_clock.set_right(NOW)
        self._pass(10.0)
        self._publish()
        self._pass(self.agent.busy + 60.0)
        self.wrong.stuck += not self.converged()
        return self.wrong

    def _step(self) -> None:
        """Set a clock, at a moment at which something may be under way."""
        self.steps += 1
        match self.chance.randrange(5):
            case 0 | 1:
                self._try_to_publish()
                if self.chance.random() < 0.3:
                    self.agent.slow(SLOW)
                self._pass(self.chance.choice((0.0, 0.01, 1.0, 20.0)))
            case 2:
                self.agent.edit()
            case 3:
                self._replay()
        wall: Wall = self.chance.choice((self.node_clock, self.node_clock, self.master_clock))
        if wall is self.master_clock:
            wall.set_by(self.chance.choice(JUMPS))
        elif self.chance.random() < 0.2:
            wall.stop()
        else:
            wall.set_by(self.chance.choice(JUMPS))
        self._off_since = self.ether.now

    def _try_to_publish(self) -> None:
        """A master whose own clock says that its root or policy expired signs nothing."""
        try:
            self._publish()
        except RefusedError:
            self.published -= 1

    def _replay(self) -> None:
        """Say old words of the master's again: they bring no lease, and no older document."""
        agent = self.agent
        leases = [one for one in self._told if isinstance(one, Lease)]
        docs = [one for one in self._told if isinstance(one, Doc)]
        agent.came(agent.route, messages.encode(Again()))  # it says Hello, and asks for a lease
        until = agent.session.lease_until
        for lease in leases[-3:]:
            agent.came(agent.route, messages.encode(lease))
            self.wrong.believed += agent.session.lease_until != until
        if docs:
            agent.came(agent.route, messages.encode(Poke()))  # it asks, and this comes first
            agent.came(agent.route, messages.encode(self.chance.choice(docs)))

    def _pass(self, seconds: float) -> None:
        until = self.ether.now + seconds
        while self.ether.now < until:
            soonest = min(self.ether.next_at(), self.agent.session.due(), self.master.due())
            self.ether.run(max(self.ether.now, min(soonest, self.ether.now + SWEEP, until)))
            was_up = self.agent.session.state == "up"
            if self.agent.session.due() <= self.ether.now:
                self.agent.hear(words.Tick())
            self.master.settle()
            self.patience.pass_time()
            self._look(was_up)

    def _look(self, was_up: bool) -> None:
        self.wrong.expired += was_up and self.agent.session.state != "up"
        document = self.agent.keeper.document
        version = document.version if document else 0
        if document is not None and version != self._version:
            self.wrong.accepted += version < self._version or document.expires <= self._taken_at()
        self._version = version
        for turn in self.master.known.turns.values():
            late = [one for one in turn.nodes.values() if one.result in ("expired", "unreachable")]
            self.wrong.given_up += len(late)
        self._tell_clocks()

    def _taken_at(self) -> float:
        accepted = self.agent.journal.accepted()
        return accepted.at if accepted else 0.0

    def _tell_clocks(self) -> None:
        """A clock that is far off for long enough, and goes, is told to the operator."""
        peers = self.master.known.peers
        off = abs(self.node_clock() - self.master_clock())
        if off > 2 * CLOCK_OFF and self.ether.now - self._off_since > TOLD_WITHIN:
            told = {one.kind for one in alarms(Situation(self.master_clock(), peers))}
            self.wrong.untold += "clock" not in told
            self._off_since = self.ether.now
