"""Notices, tries, now -> what is to be sent next. Pure: to whom, when again, what is given up.

* Each receiver has a line of its own, told in order, one at a time.
* A receiver that does not take one is tried again after FIRST seconds, then after twice as long, up
  to LONGEST; one success begins anew.
* What has waited for MOST_AGE, and the oldest beyond MOST_WAITING, is dropped and counted.
* A receiver that fails for FAILING seconds is told as an alarm until it takes something, or nothing
  waits for it any more, or it is in the settings no longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from saltern_master.notify.model import Notice
from saltern_master.notify.settings import Receiver

FIRST: Final = 2.0
LONGEST: Final = 300.0
FAILING: Final = 600.0
MOST_AGE: Final = 24 * 3600.0
MOST_WAITING: Final = 500


class Line(Struct, frozen=True, kw_only=True):
    """What waits for one receiver, the oldest first, and how it went."""

    waiting: tuple[Notice, ...] = ()
    sending: bool = False
    tries: int = 0  # that failed, without a success since
    failing: float = 0.0  # since when; 0: it is not
    again: float = 0.0  # not before that
    why: str = ""  # the last try failed
    taken: float = 0.0  # when it took one last; 0: not since core started
    dropped: int = 0  # since core started


Outbox = Mapping[str, Line]
"""By receiver."""


def wanted(receiver: Receiver, notice: Notice) -> bool:
    """Tell whether a receiver is told this."""
    return not receiver.only or notice.event in receiver.only


def put(outbox: Outbox, receivers: Iterable[Receiver], notices: Iterable[Notice]) -> Outbox:
    """Add notices for all who are to be told; who is in the settings no longer has no line."""
    made = tuple(notices)
    after = {}
    for one in receivers:
        line = outbox.get(one.name, Line())
        more = tuple(notice for notice in made if wanted(one, notice))
        after[one.name] = replace(line, waiting=(*line.waiting, *more)) if more else line
    return after


def trimmed(outbox: Outbox, now: float) -> tuple[Outbox, Mapping[str, tuple[Notice, ...]]]:
    """Drop what is too old or too many; give that too, by receiver."""
    after, gone = dict(outbox), {}
    for name, line in outbox.items():
        kept = tuple(one for one in line.waiting if now - one.at < MOST_AGE)[-MOST_WAITING:]
        lost = tuple(one for one in line.waiting if one not in kept)
        if lost and not line.sending:
            after[name] = replace(line, waiting=kept, dropped=line.dropped + len(lost))
            gone[name] = lost
    return after, gone


def due(outbox: Outbox, now: float) -> tuple[tuple[str, Notice], ...]:
    """Give what is to be sent now: at most one for each receiver.

    A pause that is longer than LONGEST comes of a clock that was set back, and is none.
    """
    return tuple(
        (name, line.waiting[0])
        for name, line in sorted(outbox.items())
        if line.waiting and not line.sending and not 0 < line.again - now <= LONGEST
    )


def begun(outbox: Outbox, name: str) -> Outbox:
    """Note that a receiver is being told."""
    return {**outbox, name: replace(outbox[name], sending=True)}


def sent(outbox: Outbox, name: str, number: int, now: float) -> Outbox:
    """Note that a receiver took a notice."""
    if name not in outbox:
        return outbox
    line = outbox[name]
    left = tuple(one for one in line.waiting if one.number != number)
    return {**outbox, name: Line(waiting=left, taken=now, dropped=line.dropped)}


def failed(outbox: Outbox, name: str, why: str, now: float) -> Outbox:
    """Note that it did not, and why."""
    if name not in outbox:
        return outbox
    line = outbox[name]
    return {
        **outbox,
        name: replace(
            line,
            sending=False,
            tries=line.tries + 1,
            failing=line.failing or now,
            again=now + min(FIRST * 2.0 ** min(line.tries, 30), LONGEST),
            why=why,
        ),
    }


def failing(outbox: Outbox, now: float) -> tuple[tuple[str, Line], ...]:
    """Give the receivers that are told as an alarm."""
    return tuple(
        (name, line)
        for name, line in sorted(outbox.items())
        if line.failing and line.waiting and now - line.failing >= FAILING
    )
