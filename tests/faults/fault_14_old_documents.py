"""Fault 14: old, foreign and forged documents and leases, at an agent that runs.

Every statement is offered to a real agent over its control socket, to plan and to apply; leases to
what that agent believes by its journal. Nothing may be taken, each has its own reason, and
between them an honest document is taken, so that no refusal is a refusal of everything.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from random import Random

from saltern_agent.accept import standing
from saltern_agent.client import ask
from saltern_agent.control import AskApply, AskPlan
from saltern_agent.events import End
from saltern_agent.journal import Accepted
from saltern_agent.places import Places, pin
from saltern_protocol.documents import encode_identity
from saltern_protocol.errors import RefusedError
from saltern_protocol.trust import Trust

from tests.agent.test_root import running
from tests.faults.contract import Fault, Figure, Seen, Trial
from tests.faults.old_and_forged import IDENTITY, PATH, leases, offers, parts, statement

BEGIN = 5  # the version that the node has at first


class Tried:
    """What was offered, and what came of it."""

    def __init__(self) -> None:
        self.offered = self.accepted = self.astray = self.honest_refused = 0
        self.reasons: set[str] = set()


def run(trial: Trial) -> Seen:
    """Offer all of them, in as many variants as it takes."""
    root, tried = trial.directory / "node", Tried()
    (root / "etc/docker").mkdir(parents=True)
    places = Places(root / "etc/saltern", root / "var/lib/saltern", root / "run/saltern")
    pin(places, encode_identity(IDENTITY))
    seeds = [*trial.seeds, trial.seed]
    with running(root):
        version = BEGIN
        _honest(places, tried, version)
        while tried.offered < trial.rounds or seeds:
            rng = Random(seeds.pop(0) if seeds else trial.seed + tried.offered)
            _offer_all(places, tried, rng, trial)
        _honest(places, tried, version + 1)
    return Seen(
        tried.offered,
        (
            Figure("accepted", tried.accepted),
            Figure("refused for another reason", tried.astray),
            Figure("honest documents refused", tried.honest_refused),
        ),
        how=f"{len(tried.reasons)} reason codes seen",
    )


def _offer_all(places: Places, tried: Tried, rng: Random, trial: Trial) -> None:
    now = int(time.clock_gettime(time.CLOCK_REALTIME))
    before = _kept(places), _content(places)
    for offer in offers(rng, now):
        tried.offered += 1
        for question in (AskPlan(offer.data), AskApply(offer.data)):
            end = _asked(places, question)
            _note(tried, trial, offer.name, offer.reason.value, end)
        if (_kept(places), _content(places)) != before:
            trial.say(f"{offer.name}: something changed")
            tried.accepted += 1
    nonce = rng.randbytes(16)
    trust = _believed(places)
    for lease in leases(rng, nonce):
        tried.offered += 1
        end = _lease_end(trust, lease.data, nonce)
        _note(tried, trial, lease.name, lease.reason.value, end)


def _note(tried: Tried, trial: Trial, name: str, reason: str, end: End) -> None:
    if end.ok or not end.reason:
        trial.say(f"{name}: taken, or no refusal: {end}")
        tried.accepted += 1
    elif end.reason != reason:
        trial.say(f"{name}: refused for {end.reason}, not {reason}: {end.error}")
        tried.astray += 1
    else:
        tried.reasons.add(reason)


def _lease_end(trust: Trust, data: bytes, nonce: bytes) -> End:
    try:
        trust.lease(data, IDENTITY, nonce)
    except RefusedError as error:
        return End(ok=False, error=str(error), reason=error.reason.value)
    return End(ok=True)


def _honest(places: Places, tried: Tried, version: int) -> None:
    """Offer what is to be taken."""
    text = f"version {version}\n"
    end = _asked(places, AskApply(statement(parts(version, text))))
    if not end.ok or _content(places) != text:
        tried.honest_refused += 1


def _asked(places: Places, question: AskPlan | AskApply) -> End:
    *_, end = ask(places.control, question)
    assert isinstance(end, End)
    return end


def _kept(places: Places) -> tuple[bytes, float]:
    with closing(sqlite3.connect(f"file:{places.journal}?mode=ro", uri=True)) as journal:
        statement, at = journal.execute("SELECT statement, at FROM accepted").fetchone()
    return statement, at


def _believed(places: Places) -> Trust:
    statement, at = _kept(places)
    return standing(IDENTITY, Accepted(statement, unfinished=False, at=at))[0]


def _content(places: Places) -> str:
    return Path(f"{places.config.parent.parent}{PATH}").read_text()


FAULT = Fault(
    number=14,
    what="old, foreign and forged documents and leases",
    short=50,
    full=500,
    run=run,
)
