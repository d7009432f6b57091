"""What still has to go to peers: messages that were not taken yet, and parts of blobs.

* A send never waits. What a peer does not take is tried again, after RETRY seconds and then twice
  as long each time up to RETRY_MOST; ROUTER cannot tell when it drains.
* Messages go before parts, in their order. At most MOST_MESSAGES and MOST_BYTES of them wait for
  a peer, and for STUCK_SECONDS at most: a peer that takes nothing for so long is gone.
* Parts are read when they can be sent; one encoded part at most waits for each peer. So a peer
  that asks for much and reads nothing holds that, and libzmq's HIGH_WATER messages.
* Peers take turns: PARTS_A_TURN parts in one call, PARTS_A_PEER of them to one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from saltern_protocol import messages
from saltern_protocol.messages import MAX_MESSAGE, BlobAsk, BlobPart, Refused

from saltern_master.front.sockets import Sent

MOST_MESSAGES: Final = 64
MOST_BYTES: Final = 4 * MAX_MESSAGE
STUCK_SECONDS: Final = 45.0
PARTS_A_PEER: Final = 4
PARTS_A_TURN: Final = 32
RETRY: Final = 0.005
RETRY_MOST: Final = 0.25

Send = Callable[[bytes, bytes], Sent]
"""(route, bytes) -> what became of it."""
Read = Callable[[bytes, int], BlobPart | None]
"""(blob, offset) -> its part."""


@dataclass(slots=True)
class _Post:
    """What waits for one peer."""

    route: bytes
    moved_at: float
    waiting: deque[bytes] = field(default_factory=deque)
    weight: int = 0
    asks: deque[BlobAsk] = field(default_factory=deque)
    part: bytes | None = None  # the first ask's, encoded
    last: bool = False  # that part is the ask's last
    again_at: float = 0.0
    delay: float = RETRY


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one call did for a peer."""

    key: bytes
    parts: int  # credit that is no longer owed
    gone: bool


class Outgoing:
    """Sends what can be sent, and keeps what cannot, within bounds."""

    def __init__(self, send: Send, read: Read) -> None:
        self._send, self._read = send, read
        self._posts: dict[bytes, _Post] = {}

    def tell(self, key: bytes, route: bytes, data: bytes, now: float) -> Sent:
        """Send a message, or keep it behind what waits; GONE: the peer is, or takes too little."""
        post = self._posts.get(key)
        if post is None or not post.waiting:
            sent = self._send(route, data)
            if sent is not Sent.FULL:
                return sent
            post = self._post(key, route, now)
        if len(post.waiting) >= MOST_MESSAGES or post.weight + len(data) > MOST_BYTES:
            return Sent.GONE
        post.waiting.append(data)
        post.weight += len(data)
        return Sent.FULL

    def ask(self, key: bytes, route: bytes, ask: BlobAsk, now: float) -> None:
        """Put an ask behind those before; how many there may be is the session's to say."""
        self._post(key, route, now).asks.append(ask)

    def forget(self, key: bytes) -> None:
        """Drop what waits for a peer."""
        self._posts.pop(key, None)

    def next_at(self) -> float | None:
        """Say when deliver() has something to do; None: nothing waits."""
        return min((post.again_at for post in self._posts.values()), default=None)

    def deliver(self, now: float) -> list[Delivered]:
        """Send what can be sent now, to everybody in turn."""
        done: list[Delivered] = []
        left = PARTS_A_TURN
        for key in list(self._posts):
            post = self._posts[key]
            if post.again_at > now:
                continue
            delivered = self._serve(key, post, min(left, PARTS_A_PEER), now)
            left -= delivered.parts
            done.append(delivered)
            del self._posts[key]
            if not delivered.gone and (post.waiting or post.asks):
                self._posts[key] = post  # last in the row now
            if left <= 0:
                break
        return done

    def _post(self, key: bytes, route: bytes, now: float) -> _Post:
        return self._posts.setdefault(key, _Post(route, now))

    def _serve(self, key: bytes, post: _Post, most: int, now: float) -> Delivered:
        waited, paid = len(post.waiting), 0
        sent = self._send_waiting(post)
        while sent is Sent.SENT and post.asks and paid < most:
            sent, parts = self._send_part(post)
            paid += parts
        if paid or len(post.waiting) < waited:
            post.moved_at, post.delay = now, RETRY
        if sent is Sent.FULL:
            post.again_at, post.delay = now + post.delay, min(post.delay * 2, RETRY_MOST)
        stuck = sent is Sent.FULL and now - post.moved_at >= STUCK_SECONDS
        return Delivered(key, paid, gone=stuck or sent is Sent.GONE)

    def _send_waiting(self, post: _Post) -> Sent:
        while post.waiting:
            sent = self._send(post.route, post.waiting[0])
            if sent is not Sent.SENT:
                return sent
            post.weight -= len(post.waiting.popleft())
        return Sent.SENT

    def _send_part(self, post: _Post) -> tuple[Sent, int]:
        """Send the first ask's next part; give the credit that this took."""
        ask = post.asks[0]
        if post.part is None:
            post.part, post.last = self._encode(ask)
        sent = self._send(post.route, post.part)
        if sent is not Sent.SENT:
            return sent, 0
        post.part = None
        if post.last or ask.credit == 1:
            post.asks.popleft()
            return sent, ask.credit
        offset = ask.offset + messages.MAX_PART
        post.asks[0] = BlobAsk(blob=ask.blob, offset=offset, credit=ask.credit - 1)
        return sent, 1

    def _encode(self, ask: BlobAsk) -> tuple[bytes, bool]:
        part = self._read(ask.blob, ask.offset)
        if part is None:
            return messages.encode(no_blob(ask.blob)), True
        return messages.encode(part), ask.offset + len(part.data) >= part.size


def no_blob(blob: bytes) -> Refused:
    """Answer an ask for a blob that is not there, or not this peer's: it cannot tell which."""
    return Refused(reason="no-blob", why=f"there is no blob {blob.hex()} for this node")
