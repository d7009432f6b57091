"""A whole conversation of one node and one master, by seed, with a proxy between their machines.

    talk_node.py      the agent's session, stock and keeper, its journal and outbox in SQLite
        <- talk_ether.py: drops, doubles and delays, above CURVE ->
    talk_master.py    the front's link and rules, core's desk and conversation, its store in SQLite

Time is virtual: it goes on to whatever is due next. The same seed gives the same conversation.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from saltern_agent.link import words
from saltern_agent.outbox import Batch
from saltern_master.core.signer import Subject
from saltern_states.body import DriftPolicy

from tests.faults.talk_ether import Ether, Proxy, Wall
from tests.faults.talk_master import INCARNATION, NOW, SWEEP, Master, Stage
from tests.faults.talk_node import Agent


class Conversation:
    """One node and one master, by seed."""

    def __init__(self, stage: Stage, directory: Path, seed: int) -> None:
        directory.mkdir()
        chance = self.chance = Random(seed)
        self.ether = Ether()
        self.proxy = Proxy(
            self.ether, chance,
            drop=chance.choice((0.0, 0.1, 0.3)), double=chance.choice((0.0, 0.2, 0.6)),
            delay=chance.choice((0.0, 0.2, 0.5)), calm=chance.uniform(60.0, 200.0),
        )  # fmt: skip
        self.master_clock, self.node_clock = Wall(self.ether, NOW), Wall(self.ether, NOW)
        self.master = Master(
            stage, directory / "store.db", self.ether, self.master_clock, self._to_node
        )
        identity = self.master.rolling.signer.identity(Subject("w1", "worker", INCARNATION))
        self.agent = Agent(directory, identity, self.ether, chance, self.node_clock)
        self.agent.say = self._to_master
        self.published = self.wanted = 0

    def close(self) -> None:
        self.agent.close()
        self.master.store.close()

    def plan(self) -> None:
        """Draw when documents come, files are edited and certificates are wanted."""
        for _ in range(self.chance.randint(1, 3)):
            self.ether.after(self.chance.uniform(0, 50), self._publish)
        for _ in range(self.chance.randrange(16)):
            self.ether.after(self.chance.uniform(0, 90), self.agent.edit)
        self.wanted = 1
        self.ether.after(
            self.chance.uniform(0, 60), lambda: self.agent.hear(words.Wanted(1, "c", b"csr"))
        )

    def run(self, patience: float) -> bool:
        """Let it go on until all is told and done; say whether that came in time."""
        agent = self.agent
        last = self.proxy.calm + patience
        while self.ether.now < last:
            soonest = min(self.ether.next_at(), agent.session.due(), self.master.due())
            self.ether.run(max(self.ether.now, min(soonest, self.ether.now + SWEEP)))
            if agent.session.due() <= self.ether.now:
                agent.hear(words.Tick())
            self.master.settle()
            if self.ether.now > self.proxy.calm and self.converged():
                return True
        return False

    def converged(self) -> bool:
        """Say whether the node has the newest document, and the master all there is to tell."""
        peer = self.master.known.peers["w1"]
        keeper, batch = self.agent.keeper, self.agent.stock.read(0).batch
        return (
            keeper.document is not None
            and peer.document is not None
            and keeper.document.version == peer.document.version == peer.session.held
            and self.agent.session.state == "up"
            and batch == Batch()
            and self.agent.given.total() >= self.wanted
            and not any(turn.waits_for("w1") for turn in self.master.known.turns.values())
        )

    def _publish(self) -> None:
        self.published += 1
        enforced = DriftPolicy() if self.chance.random() < 0.5 else DriftPolicy(mode="report")
        self.master.publish(str(self.published), enforced)

    def _to_master(self, route: bytes, data: bytes) -> None:
        self.proxy.carry(lambda: self.master.hear(route, data))

    def _to_node(self, route: bytes, data: bytes) -> bool:
        if route != self.agent.route:
            return False
        self.proxy.carry(lambda: self.agent.came(route, data))
        return True
