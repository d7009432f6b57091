"""A master in memory behind a real ROUTER socket with CURVE: it says what a core and a front say.

It runs in a thread of its own. What it shall answer with is set by the test; what it heard is
waited for, with a deadline.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TypeVar

import zmq
from msgspec.structs import replace
from saltern_protocol import messages, report, testing
from saltern_protocol.documents import (
    Document,
    PayloadType,
    Statement,
    body_hash,
    document_hash,
    encode_document,
)
from saltern_protocol.envelope import sign
from saltern_protocol.lease import LEASE_SECONDS, Hold, LeasePayload, sign_lease
from saltern_protocol.messages import FromNode, Message
from saltern_protocol.sealed import sealing_public
from saltern_protocol.terms import LAST_SECOND

DEADLINE_SECONDS = 20.0
M = TypeVar("M", bound=Message)
T = TypeVar("T")


@dataclass(frozen=True)
class Published:
    """What is there for the node."""

    statement: Statement
    document: Document
    turn: int
    proposal: bool = False
    expects: bytes = b""

    @property
    def hash(self) -> bytes:
        return document_hash(encode_document(self.document))


@dataclass
class FakeMaster:
    """One master with one node."""

    secret: bytes = bytes(range(1, 33))
    blobs: dict[bytes, bytes] = field(default_factory=dict)
    part: int = messages.MAX_PART
    heard: list[FromNode] = field(default_factory=list)
    published: Published | None = None  # what Fetch is answered with
    current: Published | None = None  # what a Lease names
    parts_until_cut: int | None = None  # then the connection is cut
    hold: Hold | None = None  # that a Lease carries
    silent: bool = False
    refuses: str = ""
    port: int = 0
    address: str = "127.0.0.1"  # where it listens
    orders: list[Callable[[], None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._context = zmq.Context()
        self._wake = self._context.socket(zmq.PULL)
        self._wake.bind("inproc://wake")
        self._waker = self._context.socket(zmq.PUSH)
        self._waker.connect("inproc://wake")
        self._route = b""
        self._listen()
        self._ending = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def public(self) -> bytes:
        return sealing_public(self.secret)

    # What a test does

    def publish(
        self, body: bytes, version: int, turn: int, proposal: bool = False, expects: bytes = b""
    ) -> None:
        """Let there be a document, or a proposal, and poke the node."""
        document = replace(
            testing.DOCUMENT, version=version, body=body_hash(body), expires=LAST_SECOND
        )
        policy = testing.signed_policy(replace(testing.POLICY, expires=LAST_SECOND))
        made = replace(testing.statement(body, document), policy=policy)
        self.blobs[body_hash(body)] = body
        self.published = Published(made, document, turn, proposal, expects)
        if not proposal:
            self.current = self.published
        self.tell(messages.Poke())

    def look(self, turn: int) -> None:
        """Ask for a look at what is current."""
        assert self.current is not None
        self.published = Published(self.current.statement, self.current.document, turn)
        self.tell(messages.Poke())

    def tell(self, message: Message) -> None:
        self._order(lambda: self._send(message))

    def cut(self) -> None:
        """Cut the connection, and listen again at the same port."""
        self._order(self._cut)

    def add(self, content: bytes) -> str:
        """Have a blob."""
        digest = sha256(content).digest()
        self.blobs[digest] = content
        return digest.hex()

    def wait(
        self, kind: type[M], which: Callable[[M], bool] = lambda _: True, number: int = 1
    ) -> M:
        """Wait until the node has said so many of a kind; give the last."""
        found: list[M] = []

        def there() -> bool:
            found[:] = [one for one in self.heard if isinstance(one, kind) and which(one)]
            return len(found) >= number

        with self._changed:
            assert self._changed.wait_for(there, DEADLINE_SECONDS), f"heard only {self.heard}"
        return found[number - 1]

    def items(self) -> list[report.Item]:
        """Give all that was reported, each once, in order."""
        seen: dict[int, report.Item] = {}
        for sent in [one for one in self.heard if isinstance(one, messages.Report)]:
            for number, item in enumerate(sent.items):
                seen[sent.first + number] = item
        return [seen[number] for number in sorted(seen)]

    def wait_item(self, kind: type[T], number: int = 1) -> T:
        """Wait until so many items of a kind were reported; give the last."""

        def there() -> list[T]:
            return [one for one in self.items() if isinstance(one, kind)]

        with self._changed:
            assert self._changed.wait_for(lambda: len(there()) >= number, DEADLINE_SECONDS), (
                f"reported only {self.items()}"
            )
        return there()[number - 1]

    def close(self) -> None:
        self._order(lambda: setattr(self, "_ending", True))
        self._thread.join(DEADLINE_SECONDS)
        self._context.destroy(linger=0)

    # What it does itself, in its thread

    def _order(self, order: Callable[[], None]) -> None:
        self.orders.append(order)
        self._waker.send(b"")

    def _listen(self) -> None:
        self._socket = self._context.socket(zmq.ROUTER)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.CURVE_SERVER, 1)
        self._socket.setsockopt(zmq.CURVE_SECRETKEY, self.secret)
        self._socket.setsockopt(zmq.MAXMSGSIZE, messages.MAX_MESSAGE + 1024)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not self._bound():  # the socket that was cut goes a moment later
            assert time.monotonic() < deadline
            os.sched_yield()
        endpoint = self._socket.getsockopt(zmq.LAST_ENDPOINT)
        assert isinstance(endpoint, bytes)
        self.port = int(endpoint.decode().rpartition(":")[2].rstrip("\0"))

    def _bound(self) -> bool:
        try:
            self._socket.bind(f"tcp://{self.address}:{self.port or '*'}")
        except zmq.ZMQError as error:
            if error.errno != zmq.EADDRINUSE:
                raise
            return False
        return True

    def _cut(self) -> None:
        self._socket.close(linger=0)
        self._route = b""
        self._listen()

    def _run(self) -> None:
        while not self._ending:
            poller = zmq.Poller()
            poller.register(self._socket, zmq.POLLIN)
            poller.register(self._wake, zmq.POLLIN)
            for ready, _ in poller.poll():
                if ready is self._wake:
                    self._wake.recv()
                    self.orders.pop(0)()
                elif ready is self._socket:
                    self._read()
        self._socket.close(linger=0)
        self._wake.close(linger=0)

    def _read(self) -> None:
        route, data = self._socket.recv_multipart()
        self._route = route
        message = messages.from_node(data)
        with self._changed:
            self.heard.append(message)
            self._changed.notify_all()
        if not self.silent:
            self._answer(message)

    def _send(self, message: Message) -> None:
        if self._route:
            self._socket.send_multipart([self._route, messages.encode(message)])

    def _answer(self, message: FromNode) -> None:
        if self.refuses:
            self._send(messages.Refused(reason=self.refuses, why="as the test says"))
        elif isinstance(message, messages.BlobAsk):
            self._parts(message)
        elif (answer := self._answer_to(message)) is not None:
            self._send(answer)
        if isinstance(message, messages.Hello) and self._waits():
            self._send(messages.Poke())

    def _waits(self) -> bool:
        """Tell whether the node has yet to say what came of what is there, as core does."""
        there = self.published
        if there is None or there is not self.current:
            return there is not None
        told = {one.turn for one in self.items() if isinstance(one, report.Applied)}
        told |= {one.turn for one in self.heard if isinstance(one, messages.Looked)}
        return there.turn not in told

    def _answer_to(self, message: FromNode) -> Message | None:
        match message:
            case messages.Hello():
                return self._lease(message.nonce)
            case messages.Fetch():
                return self._offer()
            case messages.Report():
                return messages.Ack(seq=message.first + len(message.items) - 1)
            case messages.Health():
                return self._lease(message.nonce) if message.nonce else messages.Beat()
            case messages.Csr():
                chain = b"PEM of " + message.resource.encode()
                return messages.Cert(request=message.request, chain=chain)
            case _:
                return None

    def _lease(self, nonce: bytes) -> Message:
        named = self.current
        payload = LeasePayload(
            cluster="demo",
            node="w1",
            incarnation=testing.IDENTITY.incarnation,
            epoch=1,
            version=named.document.version if named else 0,
            document=named.hash if named else None,
            issued=testing.NOW,
            expires=testing.NOW + LEASE_SECONDS,
            nonce=nonce,
            hold=self.hold,
        )
        return messages.Lease(lease=sign_lease(payload, testing.LEASE_KEYS))

    def _offer(self) -> Message | None:
        there = self.published
        if there is None:
            return None
        hello = next(one for one in reversed(self.heard) if isinstance(one, messages.Hello))
        applied = {one.version for one in self.items() if isinstance(one, report.Applied)}
        has = hello.document == there.hash or there.document.version in applied
        made = there.statement
        if there.proposal:
            envelope = sign(
                PayloadType.PROPOSAL, encode_document(there.document), testing.STATE_KEYS
            )
            return messages.Proposal(
                turn=there.turn,
                roots=(),
                policy=made.policy,
                proposal=envelope,
                body=there.document.body,
            )
        if has:
            return messages.Current(turn=there.turn)
        return messages.Doc(
            turn=there.turn,
            roots=(),
            policy=made.policy,
            document=made.document,
            body=there.document.body,
            expects=there.expects,
        )

    def _parts(self, ask: messages.BlobAsk) -> None:
        content = self.blobs.get(ask.blob)
        if content is None:
            self._send(messages.Refused(reason="no-blob", why="it is not here"))
            return
        at = ask.offset
        for _ in range(ask.credit):
            if self.parts_until_cut == 0:
                self.parts_until_cut = None
                self._cut()
                return
            if self.parts_until_cut is not None:
                self.parts_until_cut -= 1
            data = content[at : at + self.part]
            self._send(messages.BlobPart(blob=ask.blob, offset=at, size=len(content), data=data))
            at += len(data)
            if at >= len(content):
                return
