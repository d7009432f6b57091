"""A node's side of a conversation: session, stock, keeper, journal and outbox, in one thread.

The journal is SQLite, the node itself is in memory; what MasterLink and the loop do in the agent
is done here by hand: the session is told what happens, and what it asks for is done.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from saltern_agent.applying import KNOWN
from saltern_agent.converge import Done
from saltern_agent.drift_record import Drift
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.journal import Journal
from saltern_agent.keeper import Keeper
from saltern_agent.link import words
from saltern_agent.link.session import Session
from saltern_agent.link.stock import Stock
from saltern_agent.outbox import TableOutbox
from saltern_agent.plan import Planned
from saltern_agent.steps import Step
from saltern_protocol import messages
from saltern_protocol.documents import decode_identity
from saltern_protocol.report import Item, Outcome
from saltern_states.contract import Change
from saltern_states.ports import HostError
from saltern_states.testing import FakeHost

from tests.faults.talk_ether import Ether
from tests.faults.talk_master import DAEMON


@dataclass
class Recorder:
    """An outbox that remembers what was put into it, by its number."""

    outbox: TableOutbox
    items: dict[int, Item] = field(default_factory=dict)

    def begin(self, db: sqlite3.Connection) -> None:
        self.outbox.begin(db)

    def put(self, db: sqlite3.Connection, item: Item) -> None:
        self.outbox.put(db, item)
        (number,) = db.execute("SELECT max(seq) FROM outbox").fetchone()
        self.items[number] = item

    def full(self, db: sqlite3.Connection) -> bool:
        return self.outbox.full(db)

    def written(self) -> None:
        self.outbox.written()


@dataclass
class Effects:
    """What the keeper did: how often each version changed the node because of its document."""

    made: Counter[int] = field(default_factory=Counter)
    version: int = 0

    def planned(self, planned: Planned) -> None: ...

    def making(self, step: Step, change: Change, cause: str) -> None: ...

    def done(self, done: Done, cause: str) -> None:
        text = str(getattr(done.step.resource.spec, "text", ""))
        if cause == "document" and done.outcome == "changed" and text.isdecimal():
            self.made[int(text)] += 1

    def drifted(self, drift: Drift, took: float) -> None: ...

    def healed(self, drift: Drift, outcome: str, now: float) -> None: ...

    def fresh(self) -> bool:
        return False

    def mark(self) -> None: ...


class Agent:
    """The node's side, as MasterLink and the loop put its parts together, in one thread."""

    def __init__(
        self,
        directory: Path,
        identity: bytes,
        ether: Ether,
        chance: Random,
        wall: Callable[[], float],
        kinds: tuple[str, ...] = ("file/1",),
    ) -> None:
        self.ether, self._chance, self._wall = ether, chance, wall
        self.host, self.effects = FakeHost(), Effects()
        for path in ("/etc", "/etc/docker"):
            self.host.files.put_directory(path)
        who = decode_identity(identity)
        self.outbox = Recorder(TableOutbox(lambda: None, clock=wall))
        self.journal = Journal(directory / "journal.db", self.outbox)
        self.keeper = Keeper(
            host=self.host, journal=self.journal, identity=who, clock=wall,
            listener=self.effects, boot=self.effects,
        )  # fmt: skip
        self.keeper.load()
        self._reading = Journal(directory / "journal.db", self.outbox)
        self.stock = Stock(self._reading, DiskBlobs(directory / "blobs"), who, wall)
        about = words.About(
            identity=who,
            instance=bytes(16),
            boot="boot",
            kinds=kinds,
            release="1",
            facts=b"{}",
        )
        read = self.stock.read(0)
        self.session = Session(
            about, read.standing, read.batch, chance.random, lambda: chance.randbytes(16)
        )
        self.route, self._routes = b"", count(1)
        self.say: Callable[[bytes, bytes], None] = lambda route, data: None
        self.acked: Callable[[int], None] = lambda seq: None
        self.dial: Callable[[bytes], None] = self._dial
        self.given: Counter[int] = Counter()
        self._tick, self._busy = 0, 0.0

    def close(self) -> None:
        self.stock.close()
        self.journal.close()
        self._reading.close()

    def hear(self, given: words.Input) -> None:
        """Put something to the session, and do what it asks for."""
        for output in self.session.hear(given, self.ether.now):
            self._do(output)

    def came(self, route: bytes, data: bytes) -> None:
        """Something came over a connection; over one that was closed nothing does."""
        if route == self.route:
            self.hear(words.Came(data))

    def edit(self) -> None:
        """Somebody edits the file, or puts back what stood there; the agent looks."""
        if self.keeper.document is not None:
            as_declared = str(self.keeper.document.version).encode()
            text = self._chance.choice((as_declared, b"edited", b"edited again"))
            self.host.files.put_file(DAEMON, text)
            self.keeper.look({}, whole=True)
            self.read()

    def slow(self, seconds: float) -> None:
        """Let what the disk has to do take so much longer."""
        self._busy = max(self._busy, self.ether.now) + seconds

    @property
    def busy(self) -> float:
        """For how many seconds the disk has still to do."""
        return max(0.0, self._busy - self.ether.now)

    def read(self, acked: int = 0) -> None:
        """Read the journal, as the link does after each commit."""
        reading = self.stock.read(acked)
        self.hear(words.Stands(reading.standing))
        self.hear(words.Waits(reading.batch))

    def _do(self, output: words.Output) -> None:
        match output:
            case words.Send():
                self._send(output.message)
            case words.SendHealth():
                self._send(self._health(output.nonce))
            case words.Open():
                self.route = b"%d" % next(self._routes)
                self.dial(self.route)
            case words.Close():
                self.route = b""
            case words.Look():
                looked = self._looked(output.turn)
                self.read()  # what the look recorded
                self.hear(words.Say(looked))
            case words.Acked():
                self.acked(output.seq)
                self.read(output.seq)
            case words.Give():
                self.given[output.request] += 1
            case _:  # what is the disk's: one after the other, a moment later
                self._busy = max(self._busy, self.ether.now) + self._pause()
                self.ether.after(self._busy - self.ether.now, lambda: self._work(output))

    def opened(self, route: bytes) -> None:
        """A connection is there, if it is still wanted."""
        if route == self.route:
            self.hear(words.Opened())

    def lost(self, route: bytes) -> None:
        """A connection came to nothing, or is gone."""
        if route == self.route:
            self.hear(words.Lost("the connection was closed"))

    def _pause(self) -> float:
        """Give how long the disk takes."""
        return self._chance.choice((0.0, 0.01, 2.0))

    def _dial(self, route: bytes) -> None:
        self.ether.after(0.01, lambda: self.opened(route))

    def _work(self, output: Any) -> None:  # noqa: ANN401  one of the outputs that are left
        match output:
            case words.Check():
                self.hear(self.stock.check(output.offer))
            case words.Write():
                self.hear(self.stock.write(output))
            case words.Take():
                self._take(output.offer)
            case words.Refuse():
                self.stock.refuse(output)
                self.read()

    def _take(self, offer: words.Offer) -> None:
        try:
            statement = self.stock.statement(offer)
        except HostError as error:
            self.hear(words.Over(offer))
            self.stock.refuse(words.Refuse(offer, "journal", str(error)))
        else:
            with suppress(*KNOWN):  # the keeper has the master told
                self.keeper.take(statement, turn=offer.turn)
            self.hear(words.Over(offer))
        self.read()

    def _send(self, message: messages.Message) -> None:
        self.say(self.route, messages.encode(message))

    def _health(self, nonce: bytes) -> messages.Health:
        self._tick += 1
        return messages.Health(
            tick=self._tick, at_us=round(self._wall() * 1e6), state="converged",
            version=self._version, drift=0, load_percent=0, memory_kib=1, disk_kib=1, nonce=nonce,
        )  # fmt: skip

    def _looked(self, turn: int) -> messages.Looked:
        self.keeper.look({}, whole=True)
        return messages.Looked(
            turn=turn, at_us=round(self._wall() * 1e6), version=self._version,
            outcome=Outcome.CONVERGED, changes=0, took_us=1,
        )  # fmt: skip

    @property
    def _version(self) -> int:
        return self.keeper.document.version if self.keeper.document else 0
