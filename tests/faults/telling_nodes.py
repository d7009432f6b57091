"""Nodes that only tell: over the real link, by the agents' own law, with all that they were told.

* Items are numbered without gaps; what was not acknowledged is said again over the next connection.
* Each drift begins and ends, so that what a node has told can be compared with what is stored.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import zmq
from saltern_master.api.requests import NewToken
from saltern_master.records.codec import every
from saltern_master.records.drift import Drift
from saltern_master.records.reports import hold_reported
from saltern_master.store import SqliteStore
from saltern_protocol import messages
from saltern_protocol.documents import decode_identity
from saltern_protocol.errors import MalformedError
from saltern_protocol.messages import Ack, Enrolled, Lease, Report
from saltern_protocol.report import DriftEnded, DriftSeen, Item
from saltern_protocol.token import JoinToken

from tests.faults.real_master import SECONDS, Running
from tests.master.core_stand import FACTS, KIND_NAMES, Node, enrol_of
from tests.master.front_stand import Keys, Lines, dial, new_keys
from tests.master.front_stand import Node as Dialled

IN_REPORT = 4
MILLISECONDS = 500


@dataclass(slots=True)
class Teller:
    """A node, what it has to tell, and up to where it was acknowledged."""

    name: str
    keys: Keys
    incarnation: str
    server: bytes
    items: list[Item] = field(default_factory=list)
    acked: int = 0
    said: int = 0  # up to which item, over this connection
    line: Dialled | None = None

    def deviate(self, words: int = 1) -> None:
        """Find a drift, and heal it."""
        number = len(self.items) // 2 + 1
        at = 1_800_000_000_000_000 + number
        resource = f"r{number % 7}"
        found = tuple(f"{number} other content" for _ in range(words))
        self.items.append(
            DriftSeen(
                number=number,
                resource=resource,
                kind="file/1",
                since_us=at,
                recorded_us=at,
                seen="event",
                found=found,
            )
        )
        self.items.append(
            DriftEnded(number=number, resource=resource, healed_us=at + 1, outcome="healed")
        )

    def connect(self, lines: Lines, port: int) -> None:
        """Connect, until a Hello is answered by a Lease."""
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            self.close()
            self.line = dial(lines, self.keys, self.server, port)
            self.said = self.acked
            self.line.socket.setsockopt(zmq.SNDTIMEO, MILLISECONDS)  # it blocks where nobody is
            self.line.say(self._hello())
            if self.line.socket.poll(2000):
                answer = messages.from_master(self.line.socket.recv())
                if isinstance(answer, Lease):
                    return
        raise AssertionError(f"no lease for {self.name}")

    def tell(self) -> None:
        """Say the oldest that waits, unless what was said before has no answer yet."""
        if self.line is None or self.said > self.acked or self.acked == len(self.items):
            return
        items = tuple(self.items[self.acked : self.acked + IN_REPORT])
        self.said = self.acked + len(items)
        with suppress(zmq.Again):  # the master is gone; it is said again over the next connection
            self.line.say(Report(first=self.acked + 1, items=items))

    def hear(self, milliseconds: int = 0) -> bool:
        """Take what came; tell whether anything did."""
        if self.line is None or not self.line.socket.poll(milliseconds):
            return False
        with suppress(MalformedError):
            message = messages.from_master(self.line.socket.recv())
            if isinstance(message, Ack):
                self.acked = max(self.acked, message.seq)
        return True

    def close(self) -> None:
        """Leave."""
        if self.line is not None:
            self.line.close()
            self.line = None

    @property
    def waiting(self) -> int:
        """How many items are not acknowledged."""
        return len(self.items) - self.acked

    def _hello(self) -> messages.Hello:
        node = Node("", b"", self.incarnation, None)  # type: ignore[arg-type]
        return node.hello(kinds=KIND_NAMES, facts=FACTS)


def join(master: Running, lines: Lines, name: str) -> Teller:
    """Have a node join by the door."""
    master.ports()
    made = master.client.make_token(NewToken(node=name, node_class="worker", seconds=600))
    token, keys = JoinToken.parse(made.token), new_keys()
    door = dial(lines, keys, token.server, token.door_port)
    door.say(enrol_of(token))
    answer = door.hear_door()
    door.close()
    if not isinstance(answer, Enrolled):
        raise AssertionError(f"{name} was not let in: {answer}")
    return Teller(name, keys, decode_identity(answer.identity).incarnation, token.server)


def drain(master: Running, lines: Lines, tellers: Iterable[Teller], seconds: float) -> float:
    """Have all acknowledged, each over a new connection; give how long it took."""
    began = time.monotonic()
    port, _ = master.ports()
    waiting = list(tellers)
    for one in waiting:
        one.connect(lines, port)
    while waiting and time.monotonic() < began + seconds:
        for one in waiting:
            one.tell()
            one.hear(20)
        waiting = [one for one in waiting if one.waiting]
    return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Kept:
    """What a store has of what was told, against what was acknowledged."""

    lost: int  # items that were acknowledged and are not there
    twice: int  # drifts that are there more than once


def kept(store_file: Path, tellers: Iterable[Teller]) -> Kept:
    """Compare a store that no master has open with what its nodes were told."""
    store = SqliteStore(store_file)
    lost = twice = 0
    try:
        for one in tellers:
            held = hold_reported(store, one.name, one.incarnation).value
            lost += max(0, one.acked - (held.seq if held is not None else 0))
            found = [drift.number for drift in every(store, f"drift/{one.name}/", Drift)]
            ended = {d.number for d in every(store, f"drift/{one.name}/", Drift) if d.healed}
            twice += len(found) - len(set(found))
            lost += sum(not _is_kept(item, set(found), ended) for item in one.items[: one.acked])
    finally:
        store.close()
    return Kept(lost, twice)


def _is_kept(item: Item, found: set[int], ended: set[int]) -> bool:
    if isinstance(item, DriftSeen):
        return item.number in found
    return isinstance(item, DriftEnded) and item.number in ended
