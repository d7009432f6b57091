"""A node in memory that has joined a master, whose agent can be killed between any two effects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace
from saltern_agent.confirm import Proof, Window, could_cut_off
from saltern_agent.converge import Done
from saltern_agent.drift_record import Drift
from saltern_agent.journal import Journal
from saltern_agent.keeper import Keeper
from saltern_agent.outbox import TableOutbox
from saltern_agent.plan import Planned
from saltern_agent.steps import Step
from saltern_agent.trying import Confirming
from saltern_protocol import testing
from saltern_protocol.documents import encode_statement
from saltern_protocol.report import Applied
from saltern_states.body import Resource, make_body, write_body
from saltern_states.bridge import Bridge
from saltern_states.contract import Change, Spec
from saltern_states.file import File
from saltern_states.testing import FakeHost

from tests.agent.fake_timer import FakeTimer
from tests.agent.test_keeper import Mark

CBR0 = Bridge(name="cbr0", address="10.10.5.1/24")
FILE = "/etc/docker/daemon.json"


class KilledError(BaseException):
    """The process is gone: nobody may catch that."""


@dataclass
class Fuse:
    """Burns down by one at each effect; at its end the process is killed."""

    left: int = 10**9

    def burn(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise KilledError


class BurningJournal(Journal):
    """A journal of a process that may be killed before and after each commit."""

    fuse: Fuse

    @contextmanager
    def _writing(self) -> Iterator[object]:  # type: ignore[override]
        self.fuse.burn()
        with Journal._writing(self) as db:
            yield db
        self.fuse.burn()


@dataclass
class BurningTimer(FakeTimer):
    fuse: Fuse = field(default_factory=Fuse)

    def start(self) -> None:
        self.fuse.burn()
        FakeTimer.start(self)
        self.fuse.burn()

    def stop(self) -> None:
        self.fuse.burn()
        FakeTimer.stop(self)
        self.fuse.burn()


@dataclass
class Burning:
    """Hears of changes; each is a moment before which the process may be killed."""

    fuse: Fuse

    def planned(self, planned: Planned) -> None:
        """Nothing."""

    def making(self, step: Step, change: Change, cause: str) -> None:
        self.fuse.burn()

    def done(self, done: Done, cause: str) -> None:
        self.fuse.burn()

    def drifted(self, drift: Drift, took: float) -> None:
        """Nothing."""

    def healed(self, drift: Drift, outcome: str, now: float) -> None:
        """Nothing."""


@dataclass
class ConfirmNode:
    """The node; `now` is monotonic, and the wall clock beside it."""

    path: Path
    host: FakeHost = field(default_factory=FakeHost)
    mark: Mark = field(default_factory=Mark)
    fuse: Fuse = field(default_factory=Fuse)
    timer: BurningTimer = field(default_factory=BurningTimer)
    windows: list[Window | None] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    now: float = 1000.0
    version: int = 0
    proof: Proof = field(default_factory=Proof)
    keeper: Keeper = field(init=False)

    def __post_init__(self) -> None:
        for path in ("/etc", "/etc/docker"):
            self.host.files.put_directory(path)
        self.start()

    def process(self) -> Keeper:
        """Begin a process: nothing but the disk, systemd and the kernel is remembered."""
        self.fuse, self.proof, self.windows = Fuse(), Proof(), []
        self.timer.fuse = self.fuse
        journal = BurningJournal.__new__(BurningJournal)
        journal.fuse = self.fuse
        journal.__init__(  # type: ignore[misc]  # its first commits are no effects of a document
            self.path / "journal.db", TableOutbox(lambda: None, clock=lambda: 1.0)
        )
        self.keeper = Keeper(
            host=self.host,
            journal=journal,
            identity=testing.IDENTITY,
            clock=lambda: testing.NOW + self.now,
            listener=Burning(self.fuse),
            boot=self.mark,
            confirming=Confirming(
                could_cut_off,
                self.timer,
                lambda: self.now,
                self.windows.append,
                self.said.append,
                self.proof,
            ),
        )
        return self.keeper

    def start(self) -> None:
        """Start the agent, as its loop does."""
        keeper = self.process()
        unfinished = keeper.load()
        keeper.restore_after_boot()
        if unfinished:
            keeper.converge_all()

    def revert(self) -> None:
        """What the timer runs where no agent lives."""
        keeper = self.process()
        keeper.load()
        keeper.end_trial()

    def statement(self, *resources: Resource) -> bytes:
        self.version += 1
        document = replace(testing.DOCUMENT, version=self.version)
        return encode_statement(testing.statement(write_body(make_body(resources)), document))

    def take(self, *resources: Resource, turn: int = 0) -> None:
        self.keeper.take(self.statement(*resources), turn=turn)

    def lease(self) -> None:
        """A lease comes over a new connection, opened now."""
        open_ones = [one.number for one in self.windows if one is not None]
        self.proof.number = max(open_ones, default=0)
        self.keeper.confirm()

    def told(self) -> list[Applied]:
        """Give what the outbox has of documents."""
        return [one for one in self.keeper.journal.untold().items if isinstance(one, Applied)]

    @property
    def has_bridge(self) -> bool:
        return self.host.links.link("cbr0") is not None

    @property
    def phase(self) -> str:
        row = self.keeper.journal.way_back.read()
        return row.phase if row else ""


def hold(name: str, spec: Spec, *after: str) -> Resource:
    return Resource(id=name, spec=spec, after=after)


def file(text: str) -> Resource:
    return hold("file", File(path=FILE, text=text))


BRIDGE = hold("bridge", CBR0)
