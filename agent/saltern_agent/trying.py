"""Trying: a document's changes that could cut the node off, from before the first to their proof.

In the keeper's thread, around each apply of a new document; confirm.py says what the states are.

* Before the first such change the timer runs and the journal says what to go back to and until
  when, in this order: a timer that finds nothing in the journal does nothing (ADR 0022).
* After a proof, or a taking back, the journal is written first and the timer stopped last: whoever
  is killed in between leaves a timer that finds nothing and stops itself.
* The end of a document is told when it was proved, in one commit with the proof.
* Only a document is tried. What brings a node back to it (drift, a boot, a taking back) is not.
* A node that has no master tries nothing: nobody() could say that it is still there.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from saltern_protocol.report import Applied
from saltern_states.body import Resource
from saltern_states.contract import Change
from saltern_states.ports import HostError

from saltern_agent.confirm import WINDOW, Judge, Proof, Trial, Window, nothing_can
from saltern_agent.converge import Done, Told
from saltern_agent.journal import JournalError
from saltern_agent.ledger import Ledger
from saltern_agent.steps import Step
from saltern_agent.way_back import WayBack

SLACK: Final = 5.0
"""Seconds by which the journal's time may be earlier than the real one: each is a commit."""

BEGUN: Final = (
    "{} could cut this node off: unless a lease comes over a new connection within "
    f"{WINDOW:.0f} s after it, the whole document is taken back"
)
PROVED: Final = "confirmed: a lease came over a connection that is newer than the last change"


class Timer(Protocol):
    """What has `saltern-agent revert` run, again and again, though no agent lives."""

    def start(self) -> None:
        """Have it run, if it does not. HostError: it cannot."""
        ...

    def stop(self) -> None:
        """Have it run no more; nothing where it does not. HostError: it still does."""
        ...

    def runs(self) -> bool:
        """Say whether it runs. HostError."""
        ...


class NoTimer:
    """Where there is no systemd: the agent that runs keeps the time alone."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""

    def runs(self) -> bool:
        """Never."""
        return False


@dataclass(frozen=True, slots=True)
class Confirming:
    """Who confirms, and by what.

    `opened` hears, in the keeper's thread, what stands unproved; None: nothing does any more.
    """

    judge: Judge
    timer: Timer
    monotonic: Callable[[], float]
    opened: Callable[[Window | None], None]
    say: Callable[[str], None]
    proof: Proof


def nobody() -> Confirming:
    """Give what a node without a master has."""
    return Confirming(nothing_can, NoTimer(), lambda: 0.0, lambda _: None, lambda _: None, Proof())


@dataclass(slots=True)
class Trying:
    """What of the newest document is open. One thread uses one Trying."""

    by: Confirming
    ledger: Ledger
    trial: Trial = field(default_factory=Trial)
    knows_back: bool = False  # what was held before the accepted document is kept
    unsaid: Applied | None = None  # how the document was gone through, to be told once proved
    _kept: float = 0.0  # until when, as the journal has it

    def hearing(self, told: Told) -> Told:
        """Give what hears of a document's converge, and keeps the laws above."""
        return Guard(told, self)

    def accepted(self) -> None:
        """A document came, and with it was kept what was held. What is open stays open."""
        self.knows_back, self.unsaid = True, None

    def load(self, row: WayBack | None) -> None:
        """Take up what another process left open."""
        self.knows_back = row is not None and row.phase != "back"
        if row is not None and row.phase == "trial":
            self.trial, self._kept = self.trial.resumed(row.until), row.until

    def restart(self, booted: bool) -> bool:
        """Go on at the agent's start; True: its time is over, or was ended by a boot."""
        if not self.trial.open:
            return False
        if booted or self.over():
            return True
        with suppress(HostError):  # this agent keeps the time as well
            self.by.timer.start()
        self._tell(at_once=True)
        return False

    def before(self, resource: Resource) -> None:
        """A resource is about to be changed. HostError: it must not be, there is no way back."""
        if resource.id == self.trial.making:
            return
        self.after()
        if not self.knows_back or not self.by.judge(resource):
            return
        self.settle()
        if not self.trial.open:
            self._open(resource.id)
        self.trial = self.trial.begin(resource.id)

    def after(self) -> None:
        """What was in hand has been made, or given up: from here on its time runs."""
        if not self.trial.making:
            return
        self.trial = self.trial.made(self.by.monotonic())
        if self.trial.until - self._kept > SLACK:
            with suppress(JournalError):  # the earlier time stands; the ledger's trouble tells
                self._keep(self.trial.until)
        self._tell(at_once=False)

    def ended(self) -> None:
        """The converge has ended, however."""
        self.after()
        if self.trial.open and not self.settle():
            self._tell(at_once=True)

    def settle(self) -> bool:
        """Have it written that all is proved, if it is."""
        if not self.trial.proved(self.by.proof.number):
            return False
        if self.unsaid is None:
            self.ledger.spare()
        else:
            self.ledger.finish(self.unsaid)
        self.close(PROVED)
        return True

    def close(self, why: str) -> None:
        """Nothing is open any more, and the journal says so."""
        self.trial, self.unsaid = self.trial.ended(), None
        self.by.opened(None)
        self.by.say(why)
        self.stop_timer()

    def gave_up(self, why: str) -> None:
        """It is being taken back; the timer runs until that is through."""
        self.trial, self.unsaid, self.knows_back = self.trial.ended(), None, False
        self.by.opened(None)
        self.by.say(why)

    def stop_timer(self) -> None:
        """Stop the timer; one that does not stop finds nothing to do."""
        try:
            self.by.timer.stop()
        except HostError as error:
            self.by.say(str(error))

    def over(self) -> bool:
        """Say whether the time ran out, without a proof."""
        return self.trial.over(self.by.monotonic()) and not self.trial.proved(self.by.proof.number)

    def left(self) -> float:
        """Give the seconds that are left for a proof; 0 where none is waited for."""
        return self.trial.left(self.by.monotonic())

    def _open(self, name: str) -> None:
        self.by.timer.start()
        try:
            self._keep(self.by.monotonic() + WINDOW)
        except JournalError as error:
            self.stop_timer()
            raise HostError(f"cannot change what could cut this node off: {error}") from error
        self.by.say(BEGUN.format(name))

    def _keep(self, until: float) -> None:
        self.ledger.try_until(until)
        self._kept = until

    def _tell(self, at_once: bool) -> None:
        self.by.opened(Window(self.trial.number, self.trial.until, at_once))


@dataclass(frozen=True, slots=True)
class Guard:
    """Hears of each change before it is made."""

    told: Told
    trying: Trying

    def making(self, step: Step, change: Change) -> None:
        """A change is about to be made."""
        self.trying.before(step.resource)
        self.told.making(step, change)

    def done(self, done: Done) -> None:
        """A step was gone through."""
        self.trying.after()
        self.trying.settle()
        self.told.done(done)
