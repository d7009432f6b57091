"""The session: the node's side of the conversation, as a machine without socket, clock or disk.

    away --(its time comes)--> opening --(handshake)--> greeting: Hello --(Lease believed)--> up

* hear(input, now) gives what is to be done; due() says when to hear a Tick. `now` is monotonic
  seconds; jitter and nonces are given from outside.
* At most one Report is unacknowledged, at most one Fetch unanswered, nothing is fetched before a
  Lease came, and no more parts of a blob come than were asked for.
* What is out of turn, or cannot be read, is counted and passed over: no message of the master's
  raises, and none but a believed document changes what the node holds.
* A connection that does not lead to a lease within LEASE_WAIT, or on which something is left
  without answer for ANSWER_WAIT, is given up; the next is tried after a pause by chance (pace.py).
* Of an offer that was cut off or is stale nothing is kept here: the next connection asks anew,
  and what had come of a blob is still on the disk. On this one a stale document waits for a poke.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from saltern_protocol import messages
from saltern_protocol.errors import MalformedError, ProtocolError, Reason, RefusedError, printable
from saltern_protocol.lease import RENEW_SECONDS

from saltern_agent.link import pace, words
from saltern_agent.link.fetching import Fetching
from saltern_agent.link.reporting import Reporting
from saltern_agent.link.wanted import Certificates
from saltern_agent.outbox import Batch

HEALTH_EVERY = 15.0  # seconds


class Session:
    """One node's conversation with its master, over as many connections as it takes."""

    def __init__(
        self,
        about: words.About,
        standing: words.Standing,
        batch: Batch,
        jitter: Callable[[], float],
        nonce: Callable[[], bytes],
    ) -> None:
        self.state: words.State = "away"
        self.why = "not tried yet"  # away, or why the last connection ended
        self.since = self.lease_until = 0.0  # when the state began; until when there is a lease
        self.fetching: Fetching | None = None
        self.ignored = self.malformed = 0  # messages out of turn, and what is none
        self.reporting = Reporting(batch)
        self._about, self._standing, self._held = about, standing, standing.held
        self._jitter, self._nonce = jitter, nonce
        self._failures, self._retry_at = 0, 0.0
        self._health_at = self._renew_at = self._heard_at = 0.0
        self._pace, self._spread = pace.Pace(), 0  # seconds, as the last believed lease came with
        self._asked: tuple[bytes, float] | None = None  # the nonce that a lease is awaited for
        self._may_fetch = False  # a lease came on this connection
        self._taken: words.Offer | None = None  # what is being applied or planned
        self._declined = self._stale = b""  # a document's hash: not believed; stale, on this link
        self._awaited: dict[str, float] = {}  # what the master has to answer, and since when
        self._certificates = Certificates()
        self._out: list[words.Output] = []

    def hear(self, given: words.Input, now: float) -> tuple[words.Output, ...]:
        """Take an input; give what is to be done, in order."""
        INPUTS[type(given)](self, given, now)
        out, self._out = tuple(self._out), []
        return out

    def due(self) -> float:
        """Give when a Tick is due."""
        if self.state == "away":
            return self._retry_at
        due = [at + pace.ANSWER_WAIT for at in self._awaited.values()]
        if self.state == "up":
            return min(*due, self._health_at, self.lease_until, self._heard_at + pace.ANSWER_WAIT)
        return min((*due, self.since + pace.LEASE_WAIT))

    # What the node's side tells

    def _tick(self, _given: words.Tick, now: float) -> None:
        if self.state == "away":
            if now >= self._retry_at:
                self._enter("opening", now)
                self._out.append(words.Open())
            return
        up, since = (True, self._heard_at) if self.state == "up" else (False, self.since)
        if why := pace.overdue(up, since, self.lease_until, self._awaited, now):
            self._give_up(why, now)
        elif up and now >= self._health_at:
            self._say_health(now)

    def _opened(self, _given: words.Opened, now: float) -> None:
        if self.state == "opening":
            self._greet(now)

    def _lost(self, given: words.Lost, now: float) -> None:
        if self.state != "away":
            self._give_up(given.why, now)

    def _anew(self, _given: words.Anew, now: float) -> None:
        """Leave this connection, which proves nothing of what was done since; open the next."""
        self._give_up("a new connection proves that this node is still reached", now)
        self._retry_at, self._failures = now + pace.stagger(self._jitter(), self._spread), 0

    def _stands(self, given: words.Stands, now: float) -> None:
        before, self._standing = self._standing, given.standing
        newer = given.standing.trust.root.version != before.trust.root.version
        if newer and self.state in ("greeting", "up"):
            self._greet(now)  # a lease that could not be believed may be believed now

    def _waits(self, given: words.Waits, now: float) -> None:
        self.reporting.waits(given.batch)
        self._report(now)

    def _checked(self, given: words.Checked, now: float) -> None:
        fetching = self.fetching
        if fetching is None or given.offer != fetching.offer or fetching.wants:
            return
        if not given.wants:
            offer, self.fetching = given.offer, None
            self._taken = self._taken if given.held else offer
            self._out.append(words.Look(offer.turn) if given.held else words.Take(offer))
        elif fetching.had.intersection(given.wants):
            self._decline("not-kept", "what was fetched for it is not there any more")
        else:
            fetching.begin(given.wants, given.at)
            self._ask(fetching, now)

    def _unbelieved(self, given: words.Declined, _now: float) -> None:
        if self.fetching is not None and given.offer == self.fetching.offer:
            if isinstance(given.offer, messages.Doc):
                self._declined = words.hash_of(given.offer)  # a lease that names it is no news
            self._decline(given.reason, given.why)

    def _over(self, given: words.Over, now: float) -> None:
        self._taken = None if self._taken == given.offer else self._taken
        if isinstance(given.offer, messages.Doc):
            self._stale = words.hash_of(given.offer) if given.refused == Reason.STALE else b""
        if self.state == "up":
            self._say_health(now)  # the last one said that this node is at work

    def _written(self, given: words.Written, now: float) -> None:
        if self.fetching is not None and self.fetching.written(given.blob, given.size):
            self._ask(self.fetching, now)

    def _kept(self, given: words.Kept, now: float) -> None:
        fetching = self.fetching
        if fetching is None or not fetching.kept(given.blob):
            return
        self._awaited.pop("a blob", None)  # if an earlier offer's write brought it, none may come
        if fetching.wants:
            self._ask(fetching, now)
        else:
            self._out.append(words.Check(fetching.offer))

    def _spoiled(self, given: words.Spoiled, _now: float) -> None:
        if self.fetching is not None and given.blob == self.fetching.blob:
            self._decline("blob", given.why)

    def _say(self, given: words.Say, _now: float) -> None:
        if self.state == "up":  # else the master asks anew: its turn has no answer yet
            self._out.append(words.Send(given.message))

    def _wanted(self, given: words.Wanted, now: float) -> None:
        if self.state != "up":
            why = f"the master is not reached: {self.why}"
            self._out.append(words.Give(given.request, b"", why))
            return
        self._certificates.asked.add(given.request)
        self._awaited["a certificate"] = now
        self._send(messages.Csr(request=given.request, resource=given.resource, csr=given.csr))

    # What the master says

    def _came(self, given: words.Came, now: float) -> None:
        try:
            message = messages.from_master(given.data)
        except MalformedError:
            self.malformed += 1
            return
        if self.state not in ("greeting", "up"):
            self.ignored += 1
            return
        self._heard_at = now
        if isinstance(message, pace.ASKS) and not self._pace.bears(now):
            self._give_up("the master asks too often", now)
        elif self.state == "greeting" and isinstance(message, AFTER_LEASE):
            self.ignored += 1
        else:
            MESSAGES[type(message)](self, message, now)

    def _lease(self, message: messages.Lease, now: float) -> None:
        if self._asked is None:
            self.ignored += 1
            return
        (nonce, asked_at), identity = self._asked, self._about.identity
        try:
            lease = self._standing.trust.lease(message.lease, identity, nonce)
        except ProtocolError as error:
            self._doubt(error, now)
            return
        self._asked, self._may_fetch, self._spread = None, True, message.spread
        self._awaited.pop("a lease", None)
        self._out += [words.Leave(lease.hold, asked_at)] if lease.hold or self._held else []
        self._held = lease.hold is not None
        self.lease_until, self._renew_at = asked_at + lease.life, asked_at + RENEW_SECONDS
        if self.state == "greeting":
            self._enter("up", now)
            self.why, self._failures = "", 0
            self._say_health(now)
            self._out.append(words.SendCondition())
            self._report(now)
        if self._standing.is_behind(lease) and lease.document not in (self._declined, self._stale):
            self._fetch(now)

    def _doubt(self, error: ProtocolError, now: float) -> None:
        """A lease is not believed; where a newer root may be the cause, ask for what brings it."""
        self.ignored += 1
        self.why = str(error)
        newer = isinstance(error, RefusedError) and error.reason in pace.NEWER_ROOT
        if newer and not self._may_fetch:
            self._may_fetch = True
            self._fetch(now)

    def _renew(self, _message: messages.Renew, now: float) -> None:
        """Ask for a lease at once; one that was asked for already is signed after this was said."""
        if self.state == "up" and self._asked is None:
            self._renew_at = now
            self._say_health(now)

    def _poke(self, _message: messages.Poke, now: float) -> None:
        if self._may_fetch:
            self._fetch(now)
        else:
            self.ignored += 1

    def _offer(self, message: messages.Doc | messages.Proposal, _now: float) -> None:
        if self._awaited.pop("a document", None) is None:
            self.ignored += 1
            return
        before = self.fetching
        if message == self._taken or (before is not None and before.offer == message):
            return  # it is on its way, or being applied
        if before is not None:
            self._decline("superseded", "a newer one came before this one was here")
        self.fetching = Fetching(message)
        self._out.append(words.Check(message))

    def _current(self, message: messages.Current, _now: float) -> None:
        """Nothing is newer: an answer to Fetch, or in place of a Poke."""
        self._awaited.pop("a document", None)
        self._out.append(words.Look(message.turn))

    def _survey(self, message: messages.Survey, _now: float) -> None:
        self._out.append(words.Read(message.turn))

    def _part(self, message: messages.BlobPart, now: float) -> None:
        fetching = self.fetching
        if fetching is None or not fetching.take(message):
            self.ignored += 1
            return
        if fetching.credit:
            self._awaited["a blob"] = now
        else:
            self._awaited.pop("a blob", None)
        self._out.append(words.Write(message.blob, message.offset, message.size, message.data))

    def _cert(self, message: messages.Cert, _now: float) -> None:
        given = self._certificates.answered(message)
        if given is None:
            self.ignored += 1
            return
        if not self._certificates.asked:
            self._awaited.pop("a certificate", None)
        self._out.append(given)

    def _ack(self, message: messages.Ack, _now: float) -> None:
        if not self.reporting.ack(message.seq):
            self.ignored += 1
            return
        self._awaited.pop("a report", None)
        self._out.append(words.Acked(message.seq))

    def _hello_again(self, _message: messages.Again, now: float) -> None:
        if now < self.since + pace.AGAIN_WAIT:
            self._give_up("the master does not keep what it is told", now)
        else:
            self._greet(now)

    def _refused(self, message: messages.Refused, now: float) -> None:
        why = f"{pace.REFUSES} ({printable(message.reason)}): {printable(message.why)}"
        if message.reason in pace.SHUT_OUT:
            self._give_up(why, now)
            self._retry_at = now + pace.shut_out(message.reason, self._jitter())
            self._out += [words.LetGo()] if message.reason == pace.REMOVED else []
        elif self.state == "greeting":
            self._give_up(why, now)
        elif self.fetching is not None and self.fetching.wants:
            self._decline(printable(message.reason), why)
        else:
            self._awaited.pop("a document", None)
            self.why = why

    def _enter(self, state: words.State, now: float) -> None:
        self.state, self.since = state, now

    def _greet(self, now: float) -> None:
        self._forget("the conversation began anew")
        self._enter("greeting", now)
        nonce = self._nonce()
        self._asked, self._heard_at = (nonce, now), now
        self._send(words.hello(self._about, self._standing, nonce, self.reporting.batch.first))

    def _give_up(self, why: str, now: float) -> None:
        self.why = why
        self._forget(why)
        self._enter("away", now)
        self._retry_at = now + pace.pause(self._jitter(), self._failures, self._spread)
        self._failures += 1
        self._out.append(words.Close())

    def _forget(self, why: str) -> None:
        """What was said over a connection that is gone has no answer."""
        self.fetching, self._asked, self._stale, self._may_fetch = None, None, b"", False
        self.reporting.forget()
        self._awaited.clear()
        self._out += self._certificates.lost(f"the master was lost: {why}")

    def _say_health(self, now: float) -> None:
        self._health_at, nonce = now + HEALTH_EVERY, b""
        if now >= self._renew_at and self._asked is None:
            nonce = self._nonce()
            self._asked, self._awaited["a lease"] = (nonce, now), now
        self._out.append(words.SendHealth(nonce))

    def _fetch(self, now: float) -> None:
        """Ask what there is. What a poke told before the answer came is in the answer."""
        if "a document" not in self._awaited:
            self._awaited["a document"] = now
            self._send(messages.Fetch())

    def _ask(self, fetching: Fetching, now: float) -> None:
        self._awaited["a blob"] = now
        self._send(fetching.ask())

    def _decline(self, reason: str, why: str) -> None:
        fetching, self.fetching = self.fetching, None
        self._awaited.pop("a blob", None)
        if fetching is not None:
            self._out.append(words.Refuse(fetching.offer, reason, why))

    def _report(self, now: float) -> None:
        report = self.reporting.next() if self.state == "up" else None
        if report is not None:
            self._awaited["a report"] = now
            self._send(report)

    def _send(self, message: messages.Message) -> None:
        self._out.append(words.Send(message))


Hear = Callable[[Session, Any, float], None]

# Whoever has no believed lease cannot know, and is told nothing; of Again, our Hello is on its way.
AFTER_LEASE: Final = (messages.Current, messages.Survey, messages.Again)

INPUTS: Final[Mapping[type[Any], Hear]] = {
    words.Tick: Session._tick,
    words.Opened: Session._opened,
    words.Lost: Session._lost,
    words.Came: Session._came,
    words.Stands: Session._stands,
    words.Waits: Session._waits,
    words.Checked: Session._checked,
    words.Declined: Session._unbelieved,
    words.Over: Session._over,
    words.Written: Session._written,
    words.Kept: Session._kept,
    words.Spoiled: Session._spoiled,
    words.Say: Session._say,
    words.Wanted: Session._wanted,
    words.Anew: Session._anew,
}
MESSAGES: Final[Mapping[type[Any], Hear]] = {
    messages.Lease: Session._lease,
    messages.Renew: Session._renew,
    messages.Poke: Session._poke,
    messages.Doc: Session._offer,
    messages.Current: Session._current,
    messages.Proposal: Session._offer,
    messages.Survey: Session._survey,
    messages.BlobPart: Session._part,
    messages.Cert: Session._cert,
    messages.Ack: Session._ack,
    messages.Beat: lambda *_: None,  # that the master is there is all it says
    messages.Again: Session._hello_again,
    messages.Refused: Session._refused,
}
