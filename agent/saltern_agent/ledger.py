"""The ledger: what drifted and what was tried against it, in memory first, and in the journal.

A node is held to its document also while its disk is full or broken. Laws:

* What the keeper reads here is in memory: it is the same whether the journal answers or not.
* What cannot be written waits (arrears.py) and is written, in order, before the next one. Until
  then `trouble` says so. Nothing that waits is needed to find the node again: at worst a start
  looks anew, or takes back what is gone already.
* An open drift is written where what is found or why it stays is otherwise; where only its diffs
  are, RETELL apart, and `late` says when to look for the last ones.
* What must not be lost is refused instead: a new document, and a new resource of ours.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable
from functools import partial

from msgspec.structs import replace
from saltern_protocol.report import Applied, Outcome
from saltern_states.body import Body, DriftPolicy, Resource

from saltern_agent.arrears import Arrear, Arrears
from saltern_agent.drift import LONGEST, Failures
from saltern_agent.drift_record import Drift
from saltern_agent.hold_record import Held
from saltern_agent.items import MAX_TEXT, cut
from saltern_agent.journal import Journal, JournalError

RETELL = 10.0
"""Seconds between two tellings of an open drift of which only the diffs are otherwise."""


class Ledger:
    """Remembers for the keeper. One thread uses one Ledger."""

    def __init__(self, journal: Journal) -> None:
        self.trouble = ""
        self.open: dict[str, Drift] = {}
        self.failures: dict[str, Failures] = {}
        self._journal = journal
        self._attempts: dict[str, deque[float]] = {}
        self._owned: dict[str, Resource] = {}
        self._waiting = Arrears()
        self.late: dict[str, float] = {}  # when an open drift is looked at for its last state
        self._said: dict[str, float] = {}  # when what an open drift is was said last

    def load(self, body: Body) -> None:
        """Take up what the journal knows. JournalError: it cannot be read."""
        self.open = self._journal.open_drift()
        self._attempts = {name: deque(at) for name, at in self._journal.attempts().items()}
        owned = self._journal.owned()
        self._owned = {one.id: one for one in body.resources if owned.get(one.id) == one}

    def accept(self, statement: bytes, now: float, turn: int) -> None:
        """Remember a statement. JournalError: it is not remembered."""
        self._write_or_refuse(partial(self._journal.accept, statement, now, turn))
        self.failures.clear()

    def try_until(self, until: float) -> None:
        """Remember until when what comes now is to be proved. JournalError: it is not."""
        self._write_or_refuse(partial(self._journal.way_back.try_until, until))

    def spare(self) -> None:
        """Say that what was tried is proved."""
        self._write(Arrear(lambda _: self._journal.way_back.spare()))

    def go_back(self, why: str) -> None:
        """Say that the node is held to what it was held to before, and not there yet."""
        self._write(Arrear(lambda _: self._journal.way_back.go_back(why)))

    def own(self, resource: Resource) -> None:
        """Remember that a resource is ours. JournalError: it was not, and is not remembered."""
        if self._owned.get(resource.id) == resource:
            return
        self._write_or_refuse(partial(self._journal.own, resource))
        self._owned[resource.id] = resource

    def disown(self, resource_id: str) -> None:
        """Forget a resource that has been taken back."""
        self._owned.pop(resource_id, None)
        self._attempts.pop(resource_id, None)
        self._write(Arrear(lambda _: self._journal.disown(resource_id)))

    def finish(self, applied: Applied) -> None:
        """Say that the accepted statement has been gone through to its end, and how."""
        self._write(Arrear(lambda _: self._journal.finish(applied)))

    def tell(self, applied: Applied) -> None:
        """Have the master told of a document that was not gone through."""
        refused = applied.outcome is Outcome.REFUSED
        about = f"refused: {applied.turn} {applied.reason}" if refused else ""
        self._write(
            Arrear(
                lambda note: self._journal.tell(
                    replace(applied, why=cut(applied.why, MAX_TEXT - len(note)) + note)
                ),
                about,
                refused,
            )
        )

    def record(self, drift: Drift) -> None:
        """Open a drift, or say anew what an open one is. `recorded`: now."""
        name, known, at = drift.resource, self.open.get(drift.resource), drift.recorded
        self.late.pop(name, None)
        if known is not None:
            drift = _anew(known, drift)
            if _same(known, drift):
                self.open[name] = drift
                return
            since = at - self._said.get(name, 0.0)
            if _same(replace(known, detail=drift.detail), drift) and 0 <= since < RETELL:
                self.late[name] = at - since + RETELL
                return
        self._said[name] = at
        self.open[name] = drift
        self._write(Arrear(lambda _: self._record(drift), name, anew=known is not None))

    def heal(self, resource: str, outcome: str, now: float) -> Drift | None:
        """Close the open drift of a resource, and give it, where there is one."""
        self.failures.pop(resource, None)
        self.late.pop(resource, None)
        self._said.pop(resource, None)
        drift = self.open.pop(resource, None)
        if drift is not None:
            self._write(
                Arrear(
                    lambda note: self._journal.heal(resource, outcome + note, now), resource, True
                )
            )
        return drift

    def hold(self, held: Held | None) -> None:
        """Remember for how long drift is left alone; None: it is not."""
        self._write(Arrear(lambda _: self._journal.hold.keep(held), "hold", True))

    def attempt(self, resource: str, policy: DriftPolicy, now: float) -> None:
        """Count a repair that was begun, where the policy bounds them."""
        if policy.times:
            before = self._attempts.get(resource, ())
            self._attempts[resource] = deque((*before, now), maxlen=policy.times)
            times = policy.times
            self._write(Arrear(lambda _: self._journal.attempt(resource, now, times), resource))

    def attempts(self, resource: str) -> tuple[float, ...]:
        """Give when repairs of a resource were begun, as many as its policy asks for."""
        return tuple(self._attempts.get(resource, ()))

    def fail(self, resource: str, now: float, longest: float = LONGEST, why: str = "") -> Failures:
        """Count a repair that failed: the next one waits, at most so many seconds."""
        before = self.failures.get(resource, Failures())
        self.failures[resource] = before.next(now, longest, why)
        return self.failures[resource]

    def hinder(self, resource: str) -> None:
        """Note that a repair was not even tried, and that another look alone would not help."""
        known = self.failures.get(resource)
        if known is not None:
            self.failures[resource] = dataclasses.replace(known, hindered=True)

    def catch_up(self) -> None:
        """Write what waits, if that can be done now."""
        try:
            self._write_waiting()
        except JournalError as error:
            self.trouble = str(error)
        else:
            self.trouble = ""

    def probe(self) -> str:
        """Write what waits, and see whether more could be written; gives the trouble."""
        self.catch_up()
        if not self.trouble:
            try:
                self._journal.probe()
            except JournalError as error:
                self.trouble = str(error)
        return self.trouble

    def _record(self, one: Drift) -> None:
        seq = self._journal.record(one)
        if one.resource in self.open:
            self.open[one.resource] = replace(self.open[one.resource], seq=seq)

    def _write_or_refuse(self, write: Callable[[], object]) -> None:
        try:
            self._write_waiting()
            write()
        except JournalError as error:
            self.trouble = str(error)
            raise
        self.trouble = ""

    def _write(self, arrear: Arrear) -> None:
        self._waiting.add(arrear)
        self.catch_up()

    def _write_waiting(self) -> None:
        self._waiting.settle()


def _anew(known: Drift, now: Drift) -> Drift:
    """Give an open drift as it is now: what it began as stays."""
    return replace(
        known,
        found=now.found,
        detail=now.detail,
        hindrance=now.hindrance,
        attempts=now.attempts,
        incident=now.incident,
    )


def _same(known: Drift, now: Drift) -> bool:
    """Say whether nobody needs to be told; how often it was tried goes along with what is told."""
    return replace(now, attempts=known.attempts) == known
