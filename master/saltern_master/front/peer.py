"""The session of one peer: what it may say when, and what becomes of it. Pure.

* A session begins with Hello, on the connection that Hello came on; whatever else comes first,
  or on another connection, is answered with Again. A new Hello ends the session before it.
* One Report is outstanding until an Ack went to the peer (or REPORT_SECONDS passed: it was lost).
* Of blobs no more than MAX_OWED parts are owed to a peer at any moment.
* Health is answered with Beat here. Core hears of it when it says something new, brings a nonce,
  shows a tick that stands still, or after HEALTH_SECONDS. Load, memory and free disk differ each
  time, so they alone are nothing new.
* Over its budget of messages and bytes, and out of turn, a message is dropped and counted.
  Who does so again and again, or sends what cannot be read, is in quarantine for a minute:
  it is told so once, its session ends, and nothing that it says is read.
* After SILENT_SECONDS without a message the session ends. After ASK_SECONDS, in which a heartbeat
  was missed, its connection is tried once, by a Beat: that of an agent that was stopped is gone.
  Silence is what was not said while we listened: before that a peer may have spoken to nobody.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace
from saltern_protocol import messages
from saltern_protocol.errors import MalformedError
from saltern_protocol.messages import Again, Beat, BlobAsk, Health, Hello, Message, Refused, Report

from saltern_master.front.budget import Bucket, Rate, spend

SILENT_SECONDS: Final = 45.0
ASK_SECONDS: Final = 18.0  # nodes say Health every 15
HEALTH_SECONDS: Final = 60.0
REPORT_SECONDS: Final = 60.0
QUARANTINE_SECONDS: Final = 60.0
MAX_OWED: Final = 64
"""Parts: as many as one BlobAsk may ask for."""

MESSAGES: Final = Rate(burst=500, per_second=50)
BYTES: Final = Rate(burst=16 * 2**20, per_second=2 * 2**20)
PATIENCE: Final = Rate(burst=100, per_second=100 / 60)
MALFORMED_COST: Final = 20.0  # five in a minute
DEAR: Final = {messages.Hello: 10.0, messages.Csr: 10.0, messages.Fetch: 2.0}
"""Messages for which core signs something, or looks something up, count for more than one."""


Why = Literal["malformed", "dropped"]


class Say(Struct, frozen=True):
    """Answer the peer, on the connection that the message came on."""

    message: Message


class Rise(Struct, frozen=True):
    """Tell core that a session begins."""


class Fall(Struct, frozen=True):
    """Tell core that the session ended; forget what the peer still had to get."""


class Forward(Struct, frozen=True):
    """Give core the message."""


class Serve(Struct, frozen=True):
    """Send parts of a blob."""

    ask: BlobAsk


class Drop(Struct, frozen=True):
    """Count a message that went nowhere; `malformed` or `dropped`."""

    why: Why


class Jail(Struct, frozen=True):
    """Write down that this peer is in quarantine."""


Effect = Say | Rise | Fall | Forward | Serve | Drop | Jail


class Session(Struct, frozen=True):
    """What is known of a peer. Times are seconds of a monotonic clock."""

    route: bytes | None = None  # of the connection that Hello came on; None: there is no session
    heard_at: float = 0.0
    asked_at: float | None = None  # when the connection was tried last
    messages: Bucket = Bucket()
    octets: Bucket = Bucket()
    patience: Bucket = Bucket()
    jailed_until: float = 0.0
    report_at: float | None = None  # since when a Report is outstanding
    owed: int = 0  # parts of blobs
    health: Health | None = None  # the last that core heard of
    health_at: float = 0.0
    tick: int | None = None  # of the last Health


Step = tuple[Session, tuple[Effect, ...]]


def hear(session: Session, route: bytes, data: bytes, now: float) -> Step:
    """Take a message that came over `route`; give the session after it, and what to do."""
    if now < session.jailed_until:
        return session, (Drop("dropped"),)
    counted = spend(session.messages, MESSAGES, 1, now)
    weighed = spend(session.octets, BYTES, len(data), now)
    if counted is None or weighed is None:
        return _offend(session, 1, "dropped", now)
    session = replace(session, messages=counted, octets=weighed)
    try:
        message = messages.from_node(data)
    except MalformedError:
        return _offend(session, MALFORMED_COST, "malformed", now)
    return _take(session, route, message, now)


def told(session: Session) -> Session:
    """Note that an Ack went to the peer: it may report again."""
    return replace(session, report_at=None)


def paid(session: Session, parts: int) -> Session:
    """Note that so many parts of blobs were sent, or will never be."""
    return replace(session, owed=max(0, session.owed - parts))


def quiet(session: Session, now: float, listening: float) -> float:
    """Give for how long a peer said nothing while we listened, which we do since `listening`."""
    return now - max(session.heard_at, listening)


def missed(session: Session, now: float, listening: float) -> bool:
    """Say whether the connection is to be tried: a heartbeat is missing, and it was not since."""
    if session.route is None or quiet(session, now, listening) < ASK_SECONDS:
        return False
    return session.asked_at is None or session.asked_at < session.heard_at


def asked(session: Session, now: float) -> Session:
    """Note that the connection was tried."""
    return replace(session, asked_at=now)


def silent(session: Session, now: float, listening: float) -> bool:
    """Say whether the session has to end, since nothing came for too long."""
    return session.route is not None and quiet(session, now, listening) >= SILENT_SECONDS


def ended(session: Session) -> Session:
    """Give what stays of a peer after its session: what it spent, and its quarantine."""
    return Session(
        messages=session.messages,
        octets=session.octets,
        patience=session.patience,
        jailed_until=session.jailed_until,
    )


def _take(session: Session, route: bytes, message: messages.FromNode, now: float) -> Step:
    dear = DEAR.get(type(message), 1.0) - 1.0
    counted = spend(session.messages, MESSAGES, dear, now) if dear else session.messages
    if counted is None:
        return _offend(session, 1, "dropped", now)
    session = replace(session, messages=counted)
    if isinstance(message, Hello):
        return _begin(session, route, message, now)
    if session.route != route:
        after, effects = _offend(session, 1, "dropped", now)
        return after, (*effects, Say(Again())) if after.jailed_until <= now else effects
    return _continue(replace(session, heard_at=now), message, now)


def _continue(session: Session, message: messages.FromNode, now: float) -> Step:
    """Take what may be said after Hello."""
    if isinstance(message, Health):
        return _health(session, message, now)
    if isinstance(message, Report):
        if session.report_at is not None and now - session.report_at < REPORT_SECONDS:
            return _offend(session, 1, "dropped", now)
        return replace(session, report_at=now), (Forward(),)
    if isinstance(message, BlobAsk):
        if session.owed + message.credit > MAX_OWED:
            return _offend(session, 1, "dropped", now)
        return replace(session, owed=session.owed + message.credit), (Serve(message),)
    return session, (Forward(),)


def _begin(session: Session, route: bytes, hello: Hello, now: float) -> Step:
    fall = (Fall(),) if session.route is not None else ()
    fresh = ended(session)
    if hello.protocol != messages.PROTOCOL:
        why = f"protocol {hello.protocol} is not spoken here: it is {messages.PROTOCOL}"
        return fresh, (*fall, Drop("dropped"), Say(Refused(reason="protocol", why=why)))
    return replace(fresh, route=route, heard_at=now), (*fall, Rise(), Forward())


def _health(session: Session, health: Health, now: float) -> Step:
    due = (
        _news(session, health)
        or bool(health.nonce)
        or session.tick == health.tick
        or now - session.health_at >= HEALTH_SECONDS
    )
    session = replace(session, tick=health.tick)
    if not due:
        return session, (Say(Beat()),)
    return replace(session, health=health, health_at=now), (Forward(), Say(Beat()))


def _news(session: Session, health: Health) -> bool:
    old = session.health
    return old is None or (old.state, old.version, old.drift) != (
        health.state,
        health.version,
        health.drift,
    )


def _offend(session: Session, cost: float, why: Why, now: float) -> Step:
    """Drop a message; when patience is at an end, the peer goes into quarantine."""
    patience = spend(session.patience, PATIENCE, cost, now)
    if patience is not None:
        return replace(session, patience=patience), (Drop(why),)
    fall = (Fall(),) if session.route is not None else ()
    text = f"too much that was malformed, out of turn or too fast; {QUARANTINE_SECONDS:.0f} s"
    jailed = replace(ended(session), jailed_until=now + QUARANTINE_SECONDS, patience=Bucket())
    return jailed, (Drop(why), *fall, Jail(), Say(Refused(reason="quarantine", why=text)))
