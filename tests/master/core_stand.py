"""Core with a store in memory, a front of ours on the other end of its socket pair, and nodes.

A node is a key and a number of what it has: it joins, says Hello, and says what a test tells it.
Where it is asked to, it has its lease renewed by itself.
One that foresees something answers pokes by itself: it takes documents, and says its plan.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from saltern_master.api.master import Master
from saltern_master.api.plans import PlanLineView
from saltern_master.api.service import Result
from saltern_master.core.core import Core
from saltern_master.core.kube import Reach, no_api
from saltern_master.core.office import Office
from saltern_master.core.pace import Pace
from saltern_master.core.probes import Probing, probe
from saltern_master.core.settings import Settings
from saltern_master.core.turns import Limits
from saltern_master.front.frames import (
    Frame,
    Heard,
    Silent,
    Up,
)
from saltern_master.signing.home import Home
from saltern_master.store import Memory, MemoryStore, Store
from saltern_protocol import messages
from saltern_protocol.documents import decode_document, decode_identity, document_hash
from saltern_protocol.envelope import decode
from saltern_protocol.keys import fingerprint
from saltern_protocol.messages import (
    SURVEYS,
    Ack,
    Doc,
    Enrol,
    Enrolled,
    Fetch,
    Health,
    Hello,
    Lease,
    Looked,
    Message,
    Poke,
    Proposal,
    Reading,
    Refused,
    Renew,
    Report,
    Survey,
)
from saltern_protocol.reading import AnyFact
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Item, Outcome
from saltern_protocol.token import JoinToken
from saltern_states.kinds import KINDS

from tests.master.core_front import SECONDS, Front
from tests.master.plan_pages import page_of

KIND_NAMES = tuple(kind.name for kind in KINDS)
FACTS = b'{"mtu": 1500, "iptablesBackend": "nft", "architecture": "x86_64"}'
M = TypeVar("M", bound=Message)
F = TypeVar("F", bound=Frame)


def now() -> float:
    return time.clock_gettime(time.CLOCK_REALTIME)


@dataclass(slots=True)
class Node:
    """A node, as far as the master sees it."""

    name: str
    key: bytes
    incarnation: str
    front: Front
    held: int = 0
    document: bytes = b""
    instance: bytes = b"i" * 16
    seq: int = 0
    drifts: int = 0
    turn: int = 0  # of a document that it was given and has said nothing of
    outcome: str = ""  # that it says of documents by itself; "": it says nothing
    drift: dict[str, int] = field(default_factory=dict)

    def say(self, *said: Message) -> None:
        assert self.key in self.front.allowed, f"{self.name} may not speak"
        self.front.say(*(Heard(key=self.key, data=messages.encode(one)) for one in said))

    async def hear(self, kind: type[M]) -> M:
        """Give the next message of a kind; others before it are passed over."""
        async with asyncio.timeout(SECONDS):
            while True:
                message = messages.from_master(await self.front.told(self.key).get())
                if isinstance(message, kind):
                    return message

    async def connect(self, **fields: object) -> Lease:
        self.front.say(Up(key=self.key))
        self.say(self.hello(**fields))
        return await self.hear(Lease)

    def disconnect(self) -> None:
        self.front.say(Silent(key=self.key))

    def hello(self, **fields: object) -> Hello:
        usual: dict[str, object] = {
            "protocol": messages.PROTOCOL,
            "incarnation": self.incarnation,
            "instance": self.instance,
            "boot": "b",
            "root": 1,
            "epoch": 1 if self.held else 0,
            "version": self.held,
            "document": self.document,
            "nonce": secrets.token_bytes(16),
            "unacked": 0,
            "kinds": KIND_NAMES,
            "release": "1",
            "facts": FACTS,
        }
        return Hello(**(usual | fields))  # type: ignore[arg-type]

    async def fetch(self) -> Doc:
        """Ask what there is, and have what comes on the disk."""
        self.say(Fetch())
        doc = await self.hear(Doc)
        self.take(doc)
        return doc

    def take(self, doc: Doc) -> None:
        payload = decode(doc.document).payload
        self.held, self.document = decode_document(payload).version, document_hash(payload)

    def foresee(self, *lines: PlanLineView) -> None:
        """Plan this, whatever is proposed, from now on; and ask now what there is."""
        self.front.answering[self.key] = lambda data: self._answer(data, lines)
        self.say(Fetch())

    async def read_itself(self, *pages: tuple[AnyFact, ...]) -> None:
        """Answer each survey with these pages, from now on; a new Hello says so."""
        await self.connect(kinds=(*KIND_NAMES, SURVEYS))
        self.front.answering[self.key] = lambda data: self._read(data, pages)

    def _read(self, data: bytes, pages: tuple[tuple[AnyFact, ...], ...]) -> None:
        self.renew(data)
        message = messages.from_master(data)
        if isinstance(message, Survey):
            for number, facts in enumerate(pages):
                last = number == len(pages) - 1
                self.say(Reading(turn=message.turn, page=number, last=last, facts=facts))

    def renew(self, data: bytes) -> None:
        """Have the lease renewed where that is what it is asked."""
        if isinstance(messages.from_master(data), Renew):
            self.say(self.health(nonce=secrets.token_bytes(16)))

    def _answer(self, data: bytes, lines: tuple[PlanLineView, ...]) -> None:
        self.renew(data)
        message = messages.from_master(data)
        if isinstance(message, Poke):
            self.say(Fetch())
        elif isinstance(message, Proposal):
            self.say(page_of(message.turn, *lines))
        elif isinstance(message, Doc) and not message.expects:
            self.take(message)
            self.turn = message.turn
            if self.outcome:
                self.tell(self.outcome)
            self.say(self.health())

    def tell(self, outcome: str) -> None:
        """Say how the last document went, now and of all that come."""
        self.outcome = outcome
        if self.turn:
            self.seq += 1
            items = (self.applied(self.turn, outcome),)
            self.say(Report(first=self.seq, items=items), self.health())
            self.turn = 0

    async def report(self, *items: Item) -> Ack:
        first, self.seq = self.seq + 1, self.seq + len(items)
        self.say(Report(first=first, items=items))
        return await self.hear(Ack)

    def applied(self, turn: int, outcome: str, **fields: object) -> Applied:
        usual: dict[str, object] = {
            "at_us": round(now() * 1e6),
            "turn": turn,
            "epoch": 1,
            "version": self.held,
            "body": b"",
            "outcome": Outcome(outcome),
            "changes": 1,
            "took_us": 1000,
            "why": "" if outcome in ("converged", "changed") else "why",
        }
        return Applied(**(usual | fields))  # type: ignore[arg-type]

    def looked(self, turn: int, outcome: str = "converged") -> Looked:
        return Looked(
            turn=turn,
            at_us=round(now() * 1e6),
            version=self.held,
            outcome=Outcome(outcome),
            changes=0,
            took_us=1000,
        )

    def health(self, state: str = "converged", **fields: object) -> Health:
        usual: dict[str, object] = {
            "tick": 1,
            "at_us": round(now() * 1e6),
            "state": state,
            "version": self.held,
            "drift": len(self.drift),
            "load_percent": 12,
            "memory_kib": 1000,
            "disk_kib": 2000,
        }
        return Health(**(usual | fields))  # type: ignore[arg-type]

    def deviation(self, resource: str) -> DriftSeen:
        at = round(now() * 1e6)
        self.drifts += 1
        self.drift[resource] = self.drifts
        return DriftSeen(
            number=self.drift[resource],
            resource=resource,
            kind="file/1",
            since_us=at,
            recorded_us=at,
            seen="event",
            found=("other content",),
        )

    def healing(self, resource: str) -> DriftEnded:
        return DriftEnded(
            number=self.drift[resource],
            resource=resource,
            healed_us=round(now() * 1e6),
            outcome="healed",
        )


@dataclass(slots=True)
class Stand:
    """A running core, its front and the nodes that joined."""

    home: Home
    store: Store
    office: Office
    service: Master
    front: Front
    log: list[str]
    nodes: dict[str, Node] = field(default_factory=dict)

    def now(self) -> float:
        return now()

    async def join(self, token: str) -> str:
        """Join and, where it is let in, connect; give the fingerprint."""
        carried = JoinToken.parse(token)
        key = secrets.token_bytes(32)
        answer = await self.front.knock(key, enrol_of(carried))
        if isinstance(answer, Enrolled):
            node = Node(carried.node, key, decode_identity(answer.identity).incarnation, self.front)
            self.nodes[carried.node] = node
            self.front.answering[key] = node.renew
            await node.connect()
        return fingerprint(key)

    async def joined(self, *names: str, node_class: str = "worker") -> list[Node]:
        for name in names:
            made = await self.service.make_token(name, node_class, 60, False)
            await self.join(made.token)
        return [self.nodes[name] for name in names]

    async def report(self, turn: int, node: str, result: Result) -> None:
        one = self.nodes[node]
        await one.report(one.applied(turn, result))

    async def deviate(self, node: str, resource: str) -> None:
        one = self.nodes[node]
        await one.report(one.deviation(resource))

    async def foresee(self, node: str, *lines: PlanLineView) -> None:
        self.nodes[node].foresee(*lines)

    async def read_itself(self, node: str, *facts: AnyFact) -> None:
        await self.nodes[node].read_itself(facts)

    async def carry(self, rollout: int, says: Mapping[str, str]) -> None:
        """Let all nodes say how documents go until a rollout asks for nothing more."""
        for name, node in self.nodes.items():
            node.tell(says.get(name, "changed"))
        async with asyncio.timeout(SECONDS):
            while (await self.service.rollout(rollout)).phase in {"queued", "running", "soaking"}:
                await asyncio.sleep(0.01)

    async def heal(self, node: str, resource: str) -> None:
        one = self.nodes[node]
        await one.report(one.healing(resource))

    async def lock(self, node: str) -> None:
        """Let a second machine speak with a node's key, until both are shut out."""
        one = self.nodes[node]
        for instance in (b"1", b"2", b"1", b"2", b"1"):
            self.front.say(Up(key=one.key))
            one.say(one.hello(instance=instance * 16))
        await one.hear(Refused)


def enrol_of(token: JoinToken, **fields: object) -> Enrol:
    usual: dict[str, object] = {
        "protocol": messages.PROTOCOL,
        "secret": token.secret,
        "node": token.node,
        "sealing": b"s" * 32,
        "kinds": KIND_NAMES,
        "release": "1",
        "facts": FACTS,
    }
    return Enrol(**(usual | fields))  # type: ignore[arg-type]


PATIENT = Limits(grace=0.3, deadline=5.0)
QUICK = Pace(look=0.02, away=0.3, server=2.0, plan=2.0)


@asynccontextmanager
async def core_stand(
    home: Home,
    memory: Memory | None = None,
    limits: Limits = PATIENT,
    opened: Callable[[], Store] | None = None,
    clock: Callable[[], float] = now,
    reach: Reach = no_api,
    probing: Probing = probe,
) -> AsyncIterator[Stand]:
    """Run a core until the block ends. The same home and Memory: the same core, started again."""
    store = opened() if opened is not None else MemoryStore(memory or Memory())
    log: list[str] = []
    settings = Settings(addresses=("127.0.0.1",), limits=limits, pace=QUICK)
    office = Office(home, store, settings, clock, secrets.token_bytes, reach, log.append, probing)
    await office.begin()
    ours, theirs = socket.socketpair()
    front = Front(*await asyncio.open_connection(sock=theirs))
    tasks = [
        asyncio.create_task(office.line.converse(ours, office, log.append)),
        asyncio.create_task(front.listen()),
        asyncio.create_task(office.run()),
    ]
    try:
        await asyncio.wait_for(office.desk.seen.listening(), SECONDS)
        yield Stand(home, store, office, Core(office, secrets.token_bytes), front, log)
    finally:
        front.close()
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        store.close()
    assert [one for one in results if isinstance(one, Exception)] == []
