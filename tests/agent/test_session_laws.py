"""Laws of a session, whatever happens and in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from saltern_agent.link import words
from saltern_agent.link.fetching import CREDIT
from saltern_agent.link.session import Session
from saltern_agent.outbox import Batch
from saltern_protocol import messages

from tests.agent.talk import ABOUT, NEW, doc, lease, proposal, standing
from tests.agent.test_session import BLOB, BODY, batch

MESSAGES: st.SearchStrategy[messages.Message] = st.one_of(
    st.just(messages.Poke()),
    st.just(messages.Renew()),
    st.just(messages.Again()),
    st.just(messages.Beat()),
    st.builds(messages.Current, turn=st.integers(0, 2)),
    st.builds(
        doc,
        turn=st.integers(0, 2),
        version=st.integers(1, 3),
        expects=st.sampled_from([b"", bytes(32)]),
    ),
    st.builds(proposal, turn=st.integers(0, 2), version=st.integers(1, 3)),
    st.builds(messages.Ack, seq=st.integers(0, 6)),
    st.builds(messages.Cert, request=st.integers(0, 3), chain=st.binary(max_size=2)),
    st.builds(
        messages.Refused, reason=st.sampled_from(["revoked", "no-blob", "x"]), why=st.just("")
    ),
    st.builds(
        messages.BlobPart,
        blob=st.sampled_from([BODY, BLOB]),
        offset=st.integers(0, 3),
        size=st.integers(0, 4),
        data=st.binary(max_size=2),
    ),
)
LEASE = "lease"  # stands for one that answers the last nonce
STEPS = st.one_of(
    st.just(words.Tick()),
    st.just(words.Opened()),
    st.just(words.Lost("lost")),
    st.just(LEASE),
    st.just("part"),
    st.builds(words.Came, st.binary(max_size=8)),
    MESSAGES,
    st.builds(lambda version: words.Stands(standing(version)), st.integers(1, 3)),
    st.builds(lambda first: words.Waits(batch(first, 2)), st.integers(1, 5)),
    st.just("checked"),
    st.just("kept"),
    st.just("stale"),
    st.builds(words.Written, st.sampled_from([BODY, BLOB]), st.integers(0, 4)),
    st.builds(words.Spoiled, st.sampled_from([BODY, BLOB]), st.just("full")),
    st.builds(words.Wanted, st.integers(0, 3), st.just("a"), st.just(b"csr")),
)


class Laws:
    """Sees every step of a session, and says when a law is broken."""

    def __init__(self) -> None:
        self.nonce = b""
        self.numbers = iter(range(1, 10_000))
        self.session = Session(ABOUT, NEW, Batch(), lambda: 0.5, self.next_nonce)
        self.reports = self.fetches = self.credit = 0
        self.leased = self.open = False
        self.offer: words.Offer | None = None
        self.blob, self.at = b"", 0

    def next_nonce(self) -> bytes:
        self.nonce = next(self.numbers).to_bytes(16, "big")
        return self.nonce

    def step(self, given: object, now: float) -> None:
        given = self.real(given)
        if isinstance(given, messages.Message):
            self.heard(given)
            given = words.Came(messages.encode(given))
        for done in self.session.hear(given, now):  # type: ignore[arg-type]
            self.done(done)
        assert self.session.due() > now - 1e9

    def real(self, given: object) -> object:
        if given == LEASE:
            return lease(2, self.nonce or bytes(16))
        if given == "part":
            size = 20
            return messages.BlobPart(blob=self.blob or BLOB, offset=self.at, size=size, data=b"x")
        if given == "checked":
            return words.Checked(self.offer, (BODY, BLOB), 0) if self.offer else words.Tick()
        if given == "stale":
            return words.Over(self.offer, "stale") if self.offer else words.Tick()
        return words.Kept(self.blob or BLOB) if given == "kept" else given

    def heard(self, message: messages.Message) -> None:
        self.leased = self.leased or isinstance(message, messages.Lease)
        if isinstance(message, messages.Ack):
            self.reports = 0
        if isinstance(message, messages.Doc | messages.Proposal | messages.Current):
            self.fetches = 0
        if isinstance(message, messages.Refused):
            self.fetches = 0

    def done(self, done: words.Output) -> None:
        if isinstance(done, words.Open):
            assert not self.open, "two connections"
            self.open = True
        elif isinstance(done, words.Close):
            assert self.open, "closed what is not open"
            self.open = False
            self.reset()
        elif isinstance(done, words.Check):
            self.offer = done.offer
        elif isinstance(done, words.Write):
            self.credit -= 1
            self.at = done.offset + len(done.data)
            assert self.credit >= 0, "more parts than were asked for"
            assert done.offset + len(done.data) <= done.size
        elif isinstance(done, words.Send):
            self.said(done.message)

    def reset(self) -> None:
        self.reports = self.fetches = self.credit = 0
        self.leased = False

    def said(self, message: messages.Message) -> None:
        assert self.open, "said without a connection"
        messages.encode(message)
        if isinstance(message, messages.Hello):
            self.reset()
        elif isinstance(message, messages.Report):
            self.reports += 1
            assert self.reports == 1, "two Reports in flight"
        elif isinstance(message, messages.Fetch):
            self.fetches += 1
            assert self.fetches == 1, "two Fetches unanswered"
            assert self.leased, "a Fetch before a Lease"
        elif isinstance(message, messages.BlobAsk):
            self.credit, self.blob, self.at = message.credit, message.blob, message.offset
            assert message.credit == CREDIT


@given(
    st.lists(st.tuples(STEPS, st.floats(0, 50)), max_size=60),
    st.booleans(),
)
def test_laws_hold_whatever_comes(steps: list[tuple[object, float]], up: bool) -> None:
    laws, now = Laws(), 0.0
    begin: list[tuple[object, float]] = [(words.Tick(), 0), (words.Opened(), 0), (LEASE, 0)]
    for given_step, later in (begin if up else []) + steps:
        now += later / 10
        laws.step(given_step, now)
    assert laws.session.state in ("away", "opening", "greeting", "up")
