"""Which hold is in force on a node: its person's and those of windows together. Pure.

* The longer one counts: of all that are open now, the one that ends last gives who and why.
* What follows without a gap belongs to it: between a window that ends and one that begins at that
  moment no node shall set anything right. So a hold ends when nothing holds the node any more.
* A node is told how long is left, and counts that down by itself: never more than MOST_HELD at
  once; the next lease tells the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Final

from saltern_protocol.lease import Hold
from saltern_protocol.terms import MOST_HELD

from saltern_master.cluster.maintenance import Span, spans
from saltern_master.cluster.model import Cluster, Window
from saltern_master.records.holds import PersonHold
from saltern_master.subjects import Subject
from saltern_master.targeting import Target, TargetError, parse

LONGEST_WHY: Final = 200
LONGEST_BY: Final = 64
WINDOW: Final = "window "
"""Before a window's name, where a person's stands else."""


@dataclass(frozen=True, slots=True)
class Source:
    """One reason to leave a node's drift alone."""

    span: Span
    why: str
    by: str


@dataclass(frozen=True, slots=True)
class InForce:
    """What holds a node now. Times are seconds since 1970."""

    since: float
    until: float
    why: str
    by: str  # a person, or "window NAME"

    def told(self, now: float) -> Hold:
        """Give it as a lease says it."""
        left = min(max(ceil(self.until - now), 1), MOST_HELD)
        return Hold(left=left, why=self.why[:LONGEST_WHY], by=self.by[:LONGEST_BY])


@dataclass(frozen=True, slots=True)
class Open:
    """One window, when it is open around now, and whom it means."""

    window: Window
    target: Target
    spans: tuple[Span, ...]

    def is_open(self, now: float) -> bool:
        """Tell whether it is open."""
        return any(one.has(now) for one in self.spans)

    def next_span(self, now: float) -> Span | None:
        """Give the one that is open, or opens next."""
        return next((one for one in self.spans if one.ends > now), None)


def calendar(cluster: Cluster | None, now: float) -> tuple[Open, ...]:
    """Give the windows of a cluster file, as they are around a moment."""
    if cluster is None:
        return ()
    labels = frozenset(key for node in cluster.nodes for key in node.labels)
    return tuple(_opened(cluster.maintenance, labels, now))


def _opened(windows: Iterable[Window], labels: frozenset[str], now: float) -> Iterator[Open]:
    for one in windows:
        with suppress(TargetError):  # the file was checked; a release that knew less means nobody
            yield Open(one, parse(one.nodes, labels), spans(one, now))


def meant(node: Subject, windows: Iterable[Open]) -> tuple[Open, ...]:
    """Give the windows that mean a node."""
    return tuple(one for one in windows if one.target.matches(node))


def sources(person: PersonHold | None, windows: Iterable[Open]) -> tuple[Source, ...]:
    """Give all that holds a node, or will: its person's hold, and the windows that mean it."""
    own = () if person is None else (_person(person),)
    return own + tuple(
        Source(span, one.window.why, f"{WINDOW}{one.window.name}")
        for one in windows
        for span in one.spans
    )


def _person(hold: PersonHold) -> Source:
    return Source(Span(hold.since, hold.until), hold.why, hold.by)


def in_force(found: Iterable[Source], now: float) -> InForce | None:
    """Give what holds a node now; None: nothing does."""
    ordered = sorted(found, key=lambda one: one.span)
    active = [one for one in ordered if one.span.has(now)]
    if not active:
        return None
    counts = last = max(active, key=lambda one: one.span.ends)
    for one in ordered:
        if one.span.begins <= last.span.ends < one.span.ends:
            last = one
    why = counts.why if last.by == counts.by else f"{counts.why}; then {last.by}"
    return InForce(counts.span.begins, last.span.ends, why, counts.by)


def next_change(
    holds: Mapping[str, PersonHold], windows: Iterable[Open], now: float
) -> float | None:
    """Say when a hold begins or ends next; None: none does, as far as is known."""
    moments = [one.until for one in holds.values()]
    moments += [at for one in windows for span in one.spans for at in (span.begins, span.ends)]
    return min((at for at in moments if at > now), default=None)
