"""The link: every peer's session, and what the sessions decided, done.

* A letter is its key's, whatever its routing id. A key that may not speak is dropped from the
  very next letter on, and told so and why, once on each of its connections: at once on the one
  that its session was on.
* A routing id belongs to the session that said Hello on it. When another key speaks on it, that
  session's connection is gone: libzmq gives an id away only then.
* Core hears of a session's end by Silent, except where core ended it. Of who fell silent it hears
  once more where the link is up all the same: libzmq's thread answers there, the agent does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from saltern_protocol import messages
from saltern_protocol.messages import Ack, Refused

from saltern_master.front import peer
from saltern_master.front.frames import Frame, Heard, Silent, Up
from saltern_master.front.log import Log, fingerprint
from saltern_master.front.outgoing import Outgoing, Read, no_blob
from saltern_master.front.peer import Session
from saltern_master.front.sockets import Letter, Router, Sent, send

_ACK_BYTES: Final = 32  # an Ack is shorter: no need to read a longer message

_REVOKED: Final = Refused(reason="revoked", why="this key is no node of this master")
_AGAIN: Final = messages.encode(messages.Again())
_BEAT: Final = messages.encode(messages.Beat())
_MOST_REASONS: Final = 10_000
WEDGED_SECONDS: Final = 70.0
"""Of silence, after which a link that is up means an agent that hangs: a link that leads nowhere is
dropped before that, by TCP (sockets.py), which then has no answer to what was asked over it."""


@dataclass(slots=True)
class Counts:
    """What was seen since the start."""

    messages: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    malformed: int = 0
    dropped: int = 0


class Link:
    """The peers of one front."""

    def __init__(
        self, router: Router, read: Read, upward: Callable[[Frame], None], counts: Counts, log: Log
    ) -> None:
        self._router, self._upward, self._counts, self._log = router, upward, counts, log
        self._outgoing = Outgoing(self._send, read)
        self._sessions: dict[bytes, Session] = {}
        self._routes: dict[bytes, bytes] = {}  # whose session a connection is
        self._route_of: dict[bytes, bytes] = {}  # the same, from the other side
        self._quiet: dict[
            bytes, tuple[bytes, float]
        ] = {}  # who fell silent: connection, when heard
        self._grants: dict[bytes, frozenset[bytes]] = {}
        self._allowed: frozenset[bytes] = frozenset()
        self._told: dict[bytes, set[bytes]] = {}  # revoked keys, and which connections know it
        self._why: dict[bytes, Refused] = {}  # of those that core gave a reason for

    def allow(self, keys: frozenset[bytes]) -> None:
        """Let these keys speak and no others."""
        for key in self._allowed - keys:
            self._forget(key)
            self._sessions.pop(key, None)
            self._grants.pop(key, None)
            self._quiet.pop(key, None)
        for key in self._told.keys() & keys:
            del self._told[key]
        for key in self._why.keys() & keys:
            del self._why[key]
        self._allowed = keys

    def expel(self, key: bytes, why: Refused) -> None:
        """Let a key speak no more, and tell why: at once, and elsewhere when it speaks there."""
        if len(self._why) < _MOST_REASONS:
            self._why[key] = why
        session = self._sessions.get(key)
        self.allow(self._allowed - {key})
        if session is not None and session.route is not None:
            self._told.setdefault(key, set()).add(session.route)
            self._send(session.route, messages.encode(why))

    def allowed(self) -> frozenset[bytes]:
        """Give the keys that may speak."""
        return self._allowed

    def grant(self, key: bytes, blobs: frozenset[bytes]) -> None:
        """Let a peer ask for these blobs and no others."""
        if key in self._allowed:
            self._grants[key] = blobs

    def sessions(self) -> int:
        """Give how many peers have a session."""
        return len(self._routes)

    def hear(self, letter: Letter, now: float) -> bool:
        """Take a letter; False: it was dropped."""
        key = letter.key
        self._counts.messages += 1
        if key not in self._allowed:
            self._counts.dropped += 1
            self._refuse(letter)
            return False
        owner = self._routes.get(letter.route, key)
        if owner != key:
            self._fall(owner, now)
        self._quiet.pop(key, None)
        data = letter.data or b""  # not one frame: as malformed as nothing
        self._counts.bytes_in += len(data)
        before = self._sessions.get(key, Session())
        after, effects = peer.hear(before, letter.route, data, now)
        self._sessions[key] = after
        for effect in effects:
            self._do(effect, key, letter.route, data, now)
        return not any(isinstance(one, peer.Drop) for one in effects)

    def tell(self, key: bytes, data: bytes, now: float) -> None:
        """Send what core says to a peer; Silent if it has no session, or is gone."""
        session = self._sessions.get(key)
        if session is None or session.route is None:
            self._upward(Silent(key=key))
            return
        if self._outgoing.tell(key, session.route, data, now) is Sent.GONE:
            self._fall(key, now)
        elif len(data) <= _ACK_BYTES and isinstance(messages.from_master(data), Ack):
            self._sessions[key] = peer.told(session)

    def deliver(self, now: float) -> None:
        """Send what waits, as far as peers take it."""
        for delivered in self._outgoing.deliver(now):
            if delivered.gone:
                self._fall(delivered.key, now)
            else:
                key = delivered.key
                self._sessions[key] = peer.paid(self._sessions[key], delivered.parts)

    def next_at(self) -> float | None:
        """Say when deliver() has something to do; None: nothing waits."""
        return self._outgoing.next_at()

    def sweep(self, now: float, listening: float) -> None:
        """End the sessions of those who said nothing for too long; ask whether they hang.

        listening: since when we listen without a pause.
        """
        for key, route in list(self._route_of.items()):
            session = self._sessions[key]
            if peer.silent(session, now, listening):
                self._fall(key, now)
                self._quiet[key] = (route, session.heard_at)
            elif peer.missed(session, now, listening):
                self._sessions[key] = peer.asked(session, now)
                if self._send(route, _BEAT) is Sent.GONE:
                    self._fall(key, now)
        for key, (route, heard_at) in list(self._quiet.items()):
            if now - max(heard_at, listening) >= WEDGED_SECONDS:
                del self._quiet[key]
                if self._send(route, _AGAIN) is not Sent.GONE:
                    self._upward(Silent(key=key, linked=True))

    def _do(self, effect: peer.Effect, key: bytes, route: bytes, data: bytes, now: float) -> None:
        match effect:
            case peer.Forward():
                self._upward(Heard(key=key, data=data))
            case peer.Say():
                self._answer(key, route, messages.encode(effect.message), now)
            case peer.Serve():
                self._serve(effect.ask, key, route, now)
            case peer.Drop():
                self._count(effect.why)
            case peer.Rise():
                self._routes[route], self._route_of[key] = key, route
                self._upward(Up(key=key))
            case peer.Fall():
                self._forget(key)
                self._upward(Silent(key=key))
            case peer.Jail():
                self._log.say(f"peer {fingerprint(key)} is in quarantine for a minute")

    def _serve(self, ask: messages.BlobAsk, key: bytes, route: bytes, now: float) -> None:
        if ask.blob in self._grants.get(key, frozenset()):
            self._outgoing.ask(key, route, ask, now)
            return
        self._counts.dropped += 1
        self._sessions[key] = peer.paid(self._sessions[key], ask.credit)
        self._answer(key, route, messages.encode(no_blob(ask.blob)), now)

    def _answer(self, key: bytes, route: bytes, data: bytes, now: float) -> None:
        """Answer on the connection that was spoken on, in order where it is the session's."""
        if self._sessions[key].route != route:
            self._send(route, data)  # may be lost: it would be said again
        elif self._outgoing.tell(key, route, data, now) is Sent.GONE:
            self._fall(key, now)

    def _refuse(self, letter: Letter) -> None:
        told = self._told.setdefault(letter.key, set())
        if letter.key and letter.route not in told:
            told.add(letter.route)
            self._send(letter.route, messages.encode(self._why.get(letter.key, _REVOKED)))
            self._log.say(f"peer {fingerprint(letter.key)} spoke, and may not")

    def _fall(self, key: bytes, now: float) -> None:
        """End a session, and tell core, with how long ago anything was heard."""
        self._forget(key)
        session = self._sessions[key]
        self._sessions[key] = peer.ended(session)
        quiet = max(0, round((now - session.heard_at) * 1e6))
        self._upward(Silent(key=key, quiet_us=quiet))

    def _forget(self, key: bytes) -> None:
        """Forget the connection of a session and what was to go over it."""
        self._outgoing.forget(key)
        route = self._route_of.pop(key, None)
        if route is not None:
            del self._routes[route]

    def _count(self, why: peer.Why) -> None:
        if why == "malformed":
            self._counts.malformed += 1
        else:
            self._counts.dropped += 1

    def _send(self, route: bytes, data: bytes) -> Sent:
        sent = send(self._router, route, data)
        if sent is Sent.SENT:
            self._counts.bytes_out += len(data)
        return sent
