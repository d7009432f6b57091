"""The loop: one poll over the link, the door and core.

* Nobody is served before the first allow map came and the probe was refused; then core gets Ready.
* While core does not read, nothing is read from nodes: their messages wait in libzmq. Who fills our
  memory then is shut, and nobody new is let in until core reads. Their silence meanwhile is not
  theirs: it is counted from the moment at which we read again.
* Each turn takes BATCH letters at most, so that core and those who wait for blobs have theirs.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

import zmq
from saltern_protocol import messages
from saltern_protocol.errors import MalformedError
from saltern_protocol.messages import Refused

from saltern_master.errors import MasterError
from saltern_master.front import frames
from saltern_master.front.cutoff import Cutoff
from saltern_master.front.door import Door
from saltern_master.front.frames import Admit, Answer, Expel, Grant, Peers, Tell, ToFront
from saltern_master.front.gate import Gate
from saltern_master.front.guard import Guard
from saltern_master.front.link import Counts, Link
from saltern_master.front.log import Log
from saltern_master.front.probe import Probe
from saltern_master.front.process import Process
from saltern_master.front.sockets import Letter, Router, port_of, receive, send, stands
from saltern_master.front.upstream import Upstream
from saltern_master.front.usher import Usher

BATCH: Final = 200
TICK: Final = 0.1
SWEEP: Final = 1.0
LOAD: Final = 15.0
ALARM_PERCENT: Final = 70
_STALL: Final = 5.0  # a turn that took longer: we were stopped, and not the peers


class OrderError(MasterError):
    """Core said what it may not."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loop works with."""

    upstream: Upstream
    link_socket: Router
    door_socket: Router
    link: Link
    gate: Gate
    probe: Probe
    process: Process
    guard: Guard
    usher: Usher
    cutoff: Cutoff
    counts: Counts
    log: Log
    descriptors: int  # that may be open


@dataclass(slots=True)
class Times:
    """When what was last done; seconds, monotonic."""

    read: float = 0.0  # from the nodes: since when without a pause
    turned: float = 0.0
    ticked: float = 0.0
    swept: float = 0.0
    loaded: float = 0.0


@dataclass(slots=True)
class Front:
    """Serves until core is gone."""

    parts: Parts
    door: Door = field(default_factory=Door)
    times: Times = field(default_factory=Times)
    allowed: bool = False  # a map came
    serving: bool = False
    besieged: bool = False  # we were filled while core did not read, and it has not read since

    def run(self, first: list[ToFront]) -> None:
        """Serve; `first`: the frames that came with Setup. GateError, OrderError."""
        self.times.read = self.times.turned = time.monotonic()
        for frame in first:
            self._obey(frame, time.monotonic())
        while not self.parts.upstream.gone:
            self._wait(time.monotonic())
            self._turn(time.monotonic())

    def _wait(self, now: float) -> None:
        """Wait until there is something to do."""
        parts, poller = self.parts, zmq.Poller()
        reading = zmq.POLLIN | (zmq.POLLOUT if parts.upstream.waiting else 0)
        poller.register(parts.upstream.fileno(), reading)
        if self._reads():
            poller.register(parts.link_socket, zmq.POLLIN)
            poller.register(parts.door_socket, zmq.POLLIN)
        due = parts.link.next_at()
        seconds = TICK if due is None else min(TICK, max(0.0, due - now))
        poller.poll(int(seconds * 1000) if self.serving else 20)

    def _turn(self, now: float) -> None:
        parts = self.parts
        for frame in parts.upstream.read():
            self._obey(frame, now)
        if not self._reads() or now - self.times.turned > _STALL:
            self.times.read = now
        self.times.turned = now
        self._hear_link(now)
        self._hear_door(now)
        parts.link.deliver(now)
        self._tick(now)
        parts.upstream.write()

    def _reads(self) -> bool:
        return self.serving and not self.parts.upstream.full

    def _obey(self, frame: ToFront, now: float) -> None:
        """Do what core says."""
        link = self.parts.link
        match frame:
            case Tell():
                link.tell(frame.key, frame.data, now)
            case Grant():
                link.grant(frame.key, frozenset(frame.blobs))
            case Answer():
                send(self.parts.door_socket, frame.route, frame.data)  # gone: it asks again
            case Admit():
                self._allow(link.allowed() | {frame.key})
            case Expel():
                link.expel(frame.key, Refused(reason=frame.reason, why=frame.why))
                self.parts.gate.allow(link.allowed())
            case Peers():
                self._allow(frozenset(frame.keys))
                self.allowed = True
            case frames.Setup():
                raise OrderError("cannot be set up twice: core has to start another front")

    def _allow(self, keys: frozenset[bytes]) -> None:
        self.parts.gate.allow(keys)
        self.parts.link.allow(keys)

    def _hear_link(self, now: float) -> None:
        for _ in range(BATCH):
            letter = receive(self.parts.link_socket) if self._reads() else None
            if letter is None:
                return
            if not self.parts.link.hear(letter, now):
                self._dropped(self.parts.link_socket, letter, now)

    def _hear_door(self, now: float) -> None:
        for _ in range(BATCH):
            letter = receive(self.parts.door_socket) if self._reads() else None
            if letter is None:
                return
            if not self._knock(letter, now):
                self._dropped(self.parts.door_socket, letter, now)

    def _dropped(self, router: Router, letter: Letter, now: float) -> None:
        """Count it, and shut the connection of who goes on: the same, and not who came after it."""
        if self.parts.cutoff.dropped(letter.route, now) and stands(router, letter.route):
            self.parts.process.shut_one(letter.descriptor, letter.address)

    def _knock(self, letter: Letter, now: float) -> bool:
        """Take what a stranger says; False: it was dropped."""
        counts = self.parts.counts
        counts.messages += 1
        if not letter.key or not self.door.opens(letter.key, letter.address, now):
            counts.dropped += 1
            return False
        data = letter.data or b""
        counts.bytes_in += len(data)
        try:
            messages.from_stranger(data)
        except MalformedError:
            counts.malformed += 1
            return False
        self._upward(frames.Knock(route=letter.route, key=letter.key, data=data))
        return True

    def _tick(self, now: float) -> None:
        """Do what is due by the clock."""
        parts, times = self.parts, self.times
        if now - times.ticked < TICK and self.serving:
            return
        times.ticked = now
        parts.gate.watch(now)
        self._defend(now)
        if self.allowed:
            parts.probe.look(now, parts.usher.turns_away)
        if not self.serving and parts.probe.passed:
            self.serving = True
            self._upward(
                frames.Ready(
                    link_port=port_of(parts.link_socket), door_port=port_of(parts.door_socket)
                )
            )
        if now - times.swept >= SWEEP:
            times.swept = now
            parts.link.sweep(now, times.read)
        if now - times.loaded >= LOAD:
            times.loaded = now
            self._load()

    def _defend(self, now: float) -> None:
        """Shut who fills us, and let in as many as there is room for."""
        parts = self.parts
        guilty = parts.guard.look(now)
        self.besieged = parts.upstream.full and (self.besieged or bool(guilty))
        if self.besieged:
            parts.usher.nobody(now)  # before they are shut, for they come again at once
        else:
            parts.usher.look(parts.link.sessions(), now)
        parts.process.shut(frozenset(guilty))
        for address, port in guilty:
            parts.log.say(f"shut {address} port {port}: it filled our memory")

    def _load(self) -> None:
        parts, counts = self.parts, self.parts.counts
        percent = parts.process.descriptors() * 100 // parts.descriptors
        if percent >= ALARM_PERCENT:
            most = parts.descriptors
            parts.log.say(f"{percent} % of {most} descriptors are open: raise LimitNOFILE")
        self._upward(
            frames.Load(
                messages=counts.messages,
                bytes_in=counts.bytes_in,
                bytes_out=counts.bytes_out,
                refused=max(0, parts.gate.refused - parts.probe.passed),
                malformed=counts.malformed,
                dropped=counts.dropped,
                cpu_us=time.process_time_ns() // 1000,
                peers=parts.link.sessions(),
                descriptors_percent=percent,
            )
        )

    def _upward(self, frame: frames.Frame) -> None:
        self.parts.upstream.tell(frame)
