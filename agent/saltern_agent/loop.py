"""The agent: one poll loop over plain descriptors, and one worker that does what takes time.

The loop listens (event sources, control socket, timers, signals) and decides nothing about the
node; the worker looks and sets right. Only one look is under way at a time: what is noticed
meanwhile waits and is looked at together, so a storm of events costs one look per round.
"""

from __future__ import annotations

import math
import os
import select
import signal
import socket
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from saltern_agent.control import Control
from saltern_agent.journal import JournalError
from saltern_agent.keeper import Keeper
from saltern_agent.noticing import Notices, Watched, watched
from saltern_agent.recording import Noticed
from saltern_agent.sources import Source
from saltern_agent.status import LinkStatus, Status, status_of
from saltern_agent.supervised import Supervised
from saltern_agent.worker import Worker

RESYNC = 1.0  # seconds: after lost events everything is looked at, but no more often than this
PROBE = 15.0  # seconds between two looks at whether the journal takes anything
STOPPING = 30.0  # seconds that the resource in hand gets to end


@dataclass(frozen=True, slots=True)
class Clocks:
    """The three clocks that the shell gives, in seconds: wall, monotonic, CPU of this process."""

    wall: Callable[[], float]
    monotonic: Callable[[], float]
    cpu: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Look:
    """What one look came to, and what it cost. Seconds."""

    status: Status
    whole: bool
    off: int  # resources that are not as declared at its end
    wall: float
    cpu: float
    at: float
    retries: Mapping[str, float]  # what waits for its next attempt, and how many seconds
    changes: int  # that it made
    broken_off: bool  # an apply is to go on first: nothing was looked at


@dataclass(slots=True)
class Turns:
    """Who asked for an apply and whether it has begun; each number has one writer."""

    asked: int = 0  # by the loop's thread
    begun: int = 0  # by the worker's thread
    ended: int = 0  # by the loop's thread
    stopping: bool = False  # by the loop's thread

    @property
    def applying(self) -> bool:
        """Whether an apply is under way or waits for its turn."""
        return self.asked > self.ended

    def newer(self) -> bool:
        """Say whether the converge in hand should make way."""
        return self.stopping or self.asked > self.begun


class Link(Protocol):
    """What speaks with the master, in the loop's thread; it never blocks."""

    def start(self) -> None:
        """The node is held: there is something to speak of."""
        ...

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors to poll for reading now."""
        ...

    def wait(self, monotonic: float) -> float:
        """Give the seconds until turn() is due."""
        ...

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Take what has come to the descriptors `woken`, and do what is due; after every poll."""
        ...

    def status(self) -> LinkStatus | None:
        """Say how it stands; None: there is no master."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class NoLink:
    """The link of a node that has no master."""

    def start(self) -> None:
        """Nothing."""

    def filenos(self) -> tuple[int, ...]:
        """None."""
        return ()

    def wait(self, monotonic: float) -> float:
        """For ever."""
        return math.inf

    def turn(self, monotonic: float, woken: Container[int]) -> None:
        """Nothing."""

    def status(self) -> LinkStatus | None:
        """There is no master."""
        return None

    def stop(self) -> None:
        """Nothing."""


@dataclass(slots=True)
class Agent:
    """Everything that the loop holds."""

    worker: Worker[Keeper]
    sources: Sequence[Source]
    clocks: Clocks
    turns: Turns
    supervised: Supervised
    complain: Callable[[str], None]
    link: Link = field(default_factory=NoLink)
    resting: Callable[[], bool] = lambda: False  # another process is at work: nothing is looked at
    ticks: int = 0  # turns of the loop
    notices: Notices = field(default_factory=Notices)
    status: Status | None = None
    looking: bool = False
    asked: list[Callable[[Look | Exception], None]] = field(default_factory=list)
    resync_after: float = 0.0
    probe_due: float = 0.0
    troubles: tuple[str, ...] = ()
    fault: Exception | None = None

    def run(self, control: Control) -> Exception | None:
        """Keep the node until a signal comes; gives why it had to end, if it had to."""
        woken = _wake_on_signals()
        self.worker.start(self.fail)
        self.worker.submit(_begin, self._begun)
        while not self.turns.stopping:
            self._turn(control, woken)
        self.supervised.ending()
        if not self.worker.stop(STOPPING):
            self.complain("stopping although the resource in hand has not ended")
        self.link.stop()
        control.close()
        os.close(signal.set_wakeup_fd(-1))
        woken.close()
        return self.fault

    def fail(self, error: Exception) -> None:
        """End: there is no going on after this error.

        A journal that refuses something new hinders no holding: where the agent is under way it
        tells that, and goes on with what it has.
        """
        if isinstance(error, JournalError) and self.status is not None:
            self.complain(str(error))
            self.worker.submit(_as_it_is, self._went_on)
            return
        self.fault, self.turns.stopping = error, True

    def show(self, status: Status) -> None:
        """Make a job's end known; figures of looks and of the boot are kept."""
        before = self.status or status
        if status.trouble and not before.trouble:
            self.complain(status.trouble)
        self.status = msgspec.structs.replace(
            status,
            restored=max(before.restored, status.restored),
            looks=before.looks,
            looked=before.looked,
            look_milliseconds=before.look_milliseconds,
            look_cpu_milliseconds=before.look_cpu_milliseconds,
        )

    def look_now(self, ended: Callable[[Look | Exception], None]) -> None:
        """Look at everything; `ended` is told of the look that begins after this was asked."""
        self.notices.full = True
        self.asked.append(ended)

    def follow(self, watches: Watched) -> None:
        """Listen to what another body asks for, then look at all of it: nothing was heard yet."""
        self.notices.follow(watches, self.clocks.monotonic())
        for source in self.sources:
            source.set_watches(watches.watches)
        self.notices.full = True
        self._hear_troubles()

    def probe_now(self) -> None:
        """The journal refused something: see how that stands, and tell."""
        self.probe_due = 0.0

    def _hear_troubles(self) -> None:
        troubles = tuple(filter(None, (source.trouble() for source in self.sources)))
        for trouble in set(troubles) - set(self.troubles):
            self.complain(trouble)
        self.troubles = troubles

    def _turn(self, control: Control, woken: socket.socket) -> None:
        self.ticks += 1
        sources = {source.fileno(): source for source in self.sources}
        monotonic = self.clocks.monotonic()
        wait = min(one.wait(monotonic) for one in (self.notices, self.link, self.supervised))
        if self.status is not None:
            wait = min(wait, max(0.0, self.probe_due - monotonic))
        if self._may_look():
            wait = min(wait, self.notices.rested(monotonic))
        link = self.link.filenos()
        ready = _poll(self.worker, control, woken, (*sources, *link), wait)
        for descriptor in ready:
            if descriptor == woken.fileno():
                woken.recv(4096)
                self.turns.stopping = True
            elif descriptor == self.worker.fileno():
                self.worker.collect()
            elif descriptor == control.fileno():
                control.accept()
            elif descriptor in sources:
                self._read(sources[descriptor])
            elif descriptor not in link:
                control.serve(descriptor)
        monotonic = self.clocks.monotonic()
        self.supervised.turned(monotonic)
        self.link.turn(monotonic, ready)
        self.notices.tick(monotonic, self.clocks.wall())
        self._probe()
        self._look()

    def _probe(self) -> None:
        """See whether the journal takes anything, and have it take what waits."""
        if self.status is not None and self.probe_due <= self.clocks.monotonic():
            self.probe_due = math.inf  # until it has been done: the job in hand may take long
            self.worker.submit(lambda one: one.trouble or one.ledger.probe(), self._probed)

    def _probed(self, trouble: str | Exception) -> None:
        self.probe_due = self.clocks.monotonic() + PROBE
        if isinstance(trouble, Exception):
            self.fail(trouble)
        elif self.status is not None and trouble != self.status.trouble:
            # what was refused meanwhile is to be gone on with now, and not in a minute
            self.notices.full = self.notices.full or not trouble
            self.show(msgspec.structs.replace(self.status, trouble=trouble))

    def _read(self, source: Source) -> None:
        events = source.read()
        now = self.clocks.wall()
        self._hear_troubles()
        for watch in events.touched:
            self.notices.touch((watch,), "event", now, events.causes.get(watch, ""))
        if events.lost:
            monotonic = self.clocks.monotonic()
            due = max(monotonic, self.resync_after)
            self.notices.full_due = min(self.notices.full_due, due)
            self.resync_after = due + RESYNC

    def _look(self) -> None:
        monotonic = self.clocks.monotonic()
        if not self._may_look() or self.notices.rested(monotonic):
            return
        self.looking = True
        noticed = self.notices.take(monotonic)
        whole, self.notices.full = self.notices.full, False
        if whole and self.troubles:
            self._listen_again()
        asked, self.asked = self.asked, []
        self.worker.submit(
            lambda keeper: self._job(keeper, noticed, whole),
            lambda look: self._looked(look, noticed, asked),
        )

    def _listen_again(self) -> None:
        """Try what could not be heard, before a look that finds what went by unheard."""
        for source in self.sources:
            if source.trouble():
                source.set_watches(self.notices.watched.watches)
        self._hear_troubles()

    def _may_look(self) -> bool:
        held = self.status is not None and self.status.version is not None
        return held and not self.looking and not self.resting()

    def _job(self, keeper: Keeper, noticed: dict[str, Noticed], whole: bool) -> Look:
        wall, cpu, made = self.clocks.monotonic(), self.clocks.cpu(), keeper.made
        broken_off = keeper.last is not None and keeper.last.interrupted
        off = keeper.look(noticed, whole)
        wall, cpu = self.clocks.monotonic() - wall, self.clocks.cpu() - cpu
        retries = keeper.retries()
        status, at, made = status_of(keeper), self.clocks.wall(), keeper.made - made
        return Look(status, whole, off, wall, cpu, at, retries, made, broken_off)

    def _looked(
        self,
        look: Look | Exception,
        noticed: Mapping[str, Noticed],
        asked: Sequence[Callable[[Look | Exception], None]],
    ) -> None:
        self.looking = False
        for ended in asked:
            ended(look)
        if isinstance(look, Exception):
            self.fail(look)
            return
        self.notices.looked(noticed, look.retries, self.clocks.monotonic())
        self.show(look.status)
        if look.whole and self.status is not None:
            self.status = msgspec.structs.replace(
                self.status,
                looks=self.status.looks + 1,
                looked=look.at,
                look_milliseconds=look.wall * 1000,
                look_cpu_milliseconds=look.cpu * 1000,
            )

    def _begun(self, begun: Begun | Exception) -> None:
        self.supervised.ready()  # from here on systemd may start what we are ordered before
        if isinstance(begun, Exception):
            self.fail(begun)
            return
        self.link.start()
        if begun.unfinished:
            self.worker.submit(self._go_on, self._went_on)
            return
        self.show(begun.status)
        self.follow(begun.watched)

    def _go_on(self, keeper: Keeper) -> Begun:
        with suppress(JournalError):  # something new is refused; the rest is held, and status tells
            keeper.converge_all(self.turns.newer)
        return _as_it_is(keeper)

    def _went_on(self, begun: Begun | Exception) -> None:
        if isinstance(begun, Exception):
            self.fail(begun)
            return
        self.show(begun.status)
        self.follow(begun.watched)


@dataclass(frozen=True, slots=True)
class Begun:
    """What the journal and the boot left to be done."""

    status: Status
    watched: Watched
    unfinished: bool


def _begin(keeper: Keeper) -> Begun:
    unfinished = keeper.load()
    restored = keeper.restore_after_boot()
    status = msgspec.structs.replace(status_of(keeper), restored=restored)
    return Begun(status, watched(keeper.body), unfinished)


def _as_it_is(keeper: Keeper) -> Begun:
    return Begun(status_of(keeper), watched(keeper.body), False)


def _wake_on_signals() -> socket.socket:
    waker, woken = socket.socketpair()
    for end in (waker, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(waker.detach())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    return woken


def _poll(
    worker: Worker[Keeper], control: Control, woken: socket.socket, more: Iterable[int], wait: float
) -> list[int]:
    poll = select.poll()
    for descriptor in (woken.fileno(), worker.fileno(), control.fileno()):
        poll.register(descriptor, select.POLLIN)
    for descriptor in more:
        poll.register(descriptor, select.POLLIN | select.POLLPRI)
    for descriptor, client in control.clients.items():
        poll.register(descriptor, select.POLLIN | (select.POLLOUT if client.unread else 0))
    return [descriptor for descriptor, _ in poll.poll(int(wait * 1000) + 1)]
