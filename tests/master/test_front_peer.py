"""A peer's session: conversations written out, and laws that hold for every one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_master.front import peer
from saltern_master.front.peer import (
    BYTES,
    MAX_OWED,
    MESSAGES,
    QUARANTINE_SECONDS,
    SILENT_SECONDS,
    Drop,
    Effect,
    Fall,
    Forward,
    Jail,
    Rise,
    Say,
    Serve,
    Session,
)
from saltern_protocol import messages
from saltern_protocol.messages import MAX_MESSAGE, Again, Beat, BlobAsk, Refused

from tests.master.front_stand import HEALTH, HELLO, REPORT
from tests.protocol.examples import DIGEST, FROM_MASTER, FROM_NODE

SAID: Final = {name.lower(): messages.encode(one) for name, one in FROM_NODE.items()} | {
    "hello": messages.encode(HELLO),
    "hello-2": messages.encode(replace(HELLO, protocol=2)),
    "report": messages.encode(REPORT),
    "health": messages.encode(replace(HEALTH, nonce=b"")),
    "health+1": messages.encode(replace(HEALTH, nonce=b"", tick=HEALTH.tick + 1)),
    "health+2": messages.encode(replace(HEALTH, nonce=b"", tick=HEALTH.tick + 2)),
    "fuller": messages.encode(replace(HEALTH, nonce=b"", tick=HEALTH.tick + 3, disk_kib=1)),
    "drifted": messages.encode(replace(HEALTH, nonce=b"", tick=HEALTH.tick + 1, drift=9)),
    "nonce": messages.encode(replace(HEALTH, nonce=bytes(16), tick=HEALTH.tick + 1)),
    "fetch": messages.encode(messages.Fetch()),
    "ask-64": messages.encode(BlobAsk(blob=DIGEST, offset=0, credit=64)),
    "ask-1": messages.encode(BlobAsk(blob=DIGEST, offset=0, credit=1)),
    "rubbish": b"\xc1",
    "ours": messages.encode(FROM_MASTER[sorted(FROM_MASTER)[0]]),
    "nothing": b"",
}
MALFORMED: Final = ("rubbish", "ours", "nothing")

CONVERSATIONS: Final = {
    "hello first": """
        0 a fetch    -> dropped, again
        1 a hello    -> up, heard
        2 a fetch    -> heard""",
    "another connection says hello": """
        0 a hello    -> up, heard
        1 b fetch    -> dropped, again
        2 b hello    -> silent, up, heard
        3 a fetch    -> dropped, again
        4 b fetch    -> heard""",
    "hello again on the same connection": """
        0 a hello    -> up, heard
        1 a report   -> heard
        2 a hello    -> silent, up, heard
        3 a report   -> heard""",
    "a protocol that is not spoken": """
        0 a hello-2  -> dropped, refused protocol
        1 a fetch    -> dropped, again
        2 a hello    -> up, heard
        3 a hello-2  -> silent, dropped, refused protocol""",
    "one report at a time": """
        0 a hello    -> up, heard
        1 a report   -> heard
        2 a report   -> dropped
        3 . ack      ->
        4 a report   -> heard""",
    "a report that was lost on the way": """
        0 a hello    -> up, heard
        1 a report   -> heard
        60 a report  -> dropped
        61 a report  -> heard""",
    "health that says nothing new": """
        0 a hello    -> up, heard
        1 a health   -> heard, beat
        2 a health+1 -> beat
        3 a fuller   -> beat
        4 a health+2 -> beat
        61 a health+1 -> heard, beat""",
    "health that says something new": """
        0 a hello    -> up, heard
        1 a health   -> heard, beat
        2 a drifted  -> heard, beat
        3 a health+2 -> heard, beat
        4 a nonce    -> heard, beat
        5 a health+2 -> beat""",
    "a loop that stands still": """
        0 a hello    -> up, heard
        1 a health   -> heard, beat
        2 a health   -> heard, beat""",
    "credit": """
        0 a hello    -> up, heard
        1 a ask-64   -> serve
        2 a ask-1    -> dropped
        3 . paid     ->
        4 a ask-1    -> serve
        5 a ask-1    -> dropped
        6 b hello    -> silent, up, heard
        7 b ask-64   -> serve""",
    "malformed": """
        0 a hello    -> up, heard
        1 a rubbish  -> malformed
        1 a ours     -> malformed
        1 a nothing  -> malformed
        1 a fetch    -> heard
        1 a rubbish  -> malformed
        1 a rubbish  -> malformed
        1 a rubbish  -> malformed, silent, jail, refused quarantine
        2 a hello    -> dropped
        60 a rubbish -> dropped
        61 a fetch   -> dropped, again
        62 a hello   -> up, heard""",
    "malformed now and then": """
        0 a hello    -> up, heard
        0 a rubbish  -> malformed
        12 a rubbish -> malformed
        24 a rubbish -> malformed
        36 a rubbish -> malformed
        48 a rubbish -> malformed
        60 a rubbish -> malformed
        72 a rubbish -> malformed
        84 a fetch   -> heard""",
    "everything that a node may say": """
        0 a hello    -> up, heard
        1 a fetch    -> heard
        1 a looked   -> heard
        1 a plan     -> heard
        1 a csr      -> heard
        1 a report   -> heard
        1 a health   -> heard, beat""",
}


@dataclass(slots=True)
class Talk:
    """A session and what became of it."""

    session: Session = field(default_factory=Session)

    def hear(self, route: str, said: str, now: float) -> str:
        if said == "ack":
            self.session = peer.told(self.session)
            return ""
        if said == "paid":
            self.session = peer.paid(self.session, 1)
            return ""
        self.session, effects = peer.hear(self.session, route.encode(), SAID[said], now)
        return ", ".join(map(shown, effects))


def shown(effect: Effect) -> str:
    match effect:
        case Say(message=Again()):
            return "again"
        case Say(message=Beat()):
            return "beat"
        case Say(message=Refused(reason=reason)):
            return f"refused {reason}"
        case Drop(why=why):
            return why
        case _:
            names = {Rise: "up", Fall: "silent", Forward: "heard", Serve: "serve", Jail: "jail"}
            return names[type(effect)]


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_a_conversation(name: str) -> None:
    talk = Talk()
    for line in CONVERSATIONS[name].strip().splitlines():
        spoken, _, expected = line.partition("->")
        at, route, said = spoken.split()
        assert (line, talk.hear(route, said, 1000 + float(at))) == (line, expected.strip())


def test_silence_is_told_after_45_seconds_and_not_before() -> None:
    talk = Talk()
    talk.hear("a", "hello", 0)
    talk.hear("a", "fetch", 10)

    assert not peer.silent(talk.session, 10 + SILENT_SECONDS - 0.001, 0)
    assert peer.silent(talk.session, 10 + SILENT_SECONDS, 0)
    assert not peer.silent(peer.ended(talk.session), 1e9, 0)


def test_who_speaks_too_fast_is_dropped_and_then_put_away() -> None:
    talk = Talk()
    talk.hear("a", "hello", 0)
    heard = [talk.hear("a", "looked", 1) for _ in range(1000)]

    allowed = int(MESSAGES.burst)
    assert heard[:allowed] == ["heard"] * allowed
    assert heard[allowed : allowed + 100] == ["dropped"] * 100
    assert heard[allowed + 100] == "dropped, silent, jail, refused quarantine"
    assert set(heard[allowed + 101 :]) == {"dropped"}
    assert talk.hear("a", "hello", 2 + QUARANTINE_SECONDS) == "up, heard"


def test_who_says_too_much_is_dropped_before_anything_is_read() -> None:
    session, big = Session(), bytes(MAX_MESSAGE)
    for _ in range(int(BYTES.burst) // MAX_MESSAGE):
        octets = peer.hear(replace(session, patience=Session().patience), b"a", big, 0)[0].octets
        session = replace(session, octets=octets)

    assert peer.hear(session, b"a", SAID["hello"], 0)[1] == (Drop("dropped"),)
    assert peer.hear(session, b"a", SAID["hello"], 1)[1] == (Rise(), Forward())


STEPS = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.sampled_from([*sorted(SAID), "ack", "paid"]) | st.just("hello"),
        st.floats(0, 100),
    ),
    max_size=60,
)


@given(steps=STEPS)
def test_laws_of_every_conversation(steps: list[tuple[str, str, float]]) -> None:
    session, up, now = Session(), False, 1000.0
    for route, said, later in steps:
        now += later
        if said in ("ack", "paid"):
            session = peer.told(session) if said == "ack" else peer.paid(session, 1)
            continue
        was_jailed = now < session.jailed_until
        session, effects = peer.hear(session, route.encode(), SAID[said], now)
        for effect in effects:
            if isinstance(effect, Rise | Fall):
                assert isinstance(effect, Fall) == up  # they take turns
                up = not up
            assert up or not isinstance(effect, Forward | Serve)
            if isinstance(effect, Forward | Serve):
                assert said not in MALFORMED
                assert session.route == route.encode()
        assert up == (session.route is not None)
        assert 0 <= session.owed <= MAX_OWED
        assert not was_jailed or effects == (Drop("dropped"),)
        assert sum(isinstance(effect, Drop) for effect in effects) <= 1


@given(said=st.binary(max_size=200))
def test_no_bytes_raise_or_are_forwarded_before_hello(said: bytes) -> None:
    _, effects = peer.hear(Session(), b"a", said, 1000.0)
    assert not any(isinstance(effect, Forward | Serve) for effect in effects)
