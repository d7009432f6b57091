"""Facts as messages: pages of a bounded size, and a bounded number of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from saltern_protocol.messages import Reading
from saltern_protocol.reading import AnyFact, PathFact, Unread
from saltern_protocol.wire import pack

from saltern_agent.items import MAX_TEXT, cut

MAX_BYTES: Final = 160 * 1024  # of a page, so that one more fact fits a message
MAX_FACTS: Final = 500
MOST_BYTES: Final = 1024 * 1024
"""Of a whole reading: a node's body has 192 KiB at most, so more could not be held anyway."""


def reading_pages(turn: int, facts: Iterable[AnyFact]) -> tuple[Reading, ...]:
    """Give the pages of a reading; the last one says so."""
    *cuts, last = list(_cut(_bounded(facts))) or [()]
    return (
        *(
            Reading(turn=turn, page=number, last=False, facts=some)
            for number, some in enumerate(cuts)
        ),
        Reading(turn=turn, page=len(cuts), last=True, facts=last),
    )


def no_reading(turn: int, why: str) -> Reading:
    """Say why there is none."""
    return Reading(turn=turn, page=0, last=True, facts=(), why=cut(why, MAX_TEXT))


def _bounded(facts: Iterable[AnyFact]) -> Iterator[tuple[AnyFact, int]]:
    """Give each fact with its weight; what is too much by then is named, without its text."""
    left = MOST_BYTES
    for fact in facts:
        weight = len(pack(fact))
        if weight <= left:
            left -= weight
            yield fact, weight
        else:
            what = fact.path if isinstance(fact, PathFact) else type(fact).__name__
            unread = Unread(what=cut(what, MAX_TEXT), why="the reading was full before it")
            yield unread, len(pack(unread))


def _cut(facts: Iterable[tuple[AnyFact, int]]) -> Iterator[tuple[AnyFact, ...]]:
    page: list[AnyFact] = []
    size = 0
    for fact, weight in facts:
        if page and (len(page) == MAX_FACTS or size + weight > MAX_BYTES):
            yield tuple(page)
            page, size = [], 0
        page.append(fact)
        size += weight
    if page:
        yield tuple(page)
