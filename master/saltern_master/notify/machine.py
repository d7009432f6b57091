"""Memory, what is wrong, now -> memory, notices. Pure: it decides when a thing is told.

* What begins is told once, however often it is seen, GATHER seconds after the first of its group
  was seen, with all others of that group. What is over before that is never told.
* Its end is told once, when it has been gone for CALM seconds; twice as long for each time that
  it began within MEMORY before, up to MOST_CALM: what flaps is told as beginning, and as over only
  when it is. Ends are gathered as beginnings are.
* What goes on is told again after `again` seconds; 0: never.
* What is known by a node's own word alone (personal) is not over because the node is not heard: it
  stays as it was told.
* After a gap in looking (a start, a pause of the process or of its machine, a clock that was set)
  nothing is told for SETTLE seconds: nodes have yet to come back, and nothing began meanwhile.
  While there is nobody to tell, time passes (idle): who becomes the first receiver of a master that
  has run for long is told what stands after GATHER seconds, and not what is over by then.
* At most MOST_HELD are remembered, and a notice lists MOST_LISTED: a master with ten thousand
  nodes away says so in one message. Of things that one node names at most MOST_OF_NODE are: one
  that tells of others without end keeps nobody from being told of the rest, nor of that node.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from saltern_master.notify.model import (
    Group,
    Happened,
    Held,
    Item,
    Looked,
    Memory,
    Name,
    Notice,
    Status,
)

MOST_HELD: Final = 20_000
MOST_OF_NODE: Final = 100
MOST_LISTED: Final = 20


class Pace(Struct, frozen=True, kw_only=True):
    """How patient it is, in seconds."""

    gather: float = 30.0
    calm: float = 60.0
    most_calm: float = 3600.0
    memory: float = 2 * 3600.0
    again: float = 24 * 3600.0  # 0: never
    gap: float = 60.0
    settle: float = 90.0


def step(
    memory: Memory, looked: Looked, now: float, pace: Pace
) -> tuple[Memory, tuple[Notice, ...]]:
    """Take what a look found; give what is remembered then, and what is to be told."""
    if not 0 <= now - memory.looked <= pace.gap:
        return _after_gap(memory, now, pace), ()
    memory = replace(memory, looked=now)
    if now < memory.settled:
        return memory, ()
    held = _forgotten(_seen(memory.held, looked, now), now, pace)
    told = [*_begins(held, now, pace), *_goes_on(held, now, pace), *_ends(held, now, pace)]
    news = [one for one in looked.happened if one.at > memory.until]
    number = memory.number
    notices = []
    for status, group, names in told:
        number += 1
        notices.append(_notice(number, status, group, [held[name] for name in names], now))
        held = {**held, **{name: _told(held[name], status, now) for name in names}}
    for one in news:
        number += 1
        notices.append(_happened(number, one, now))
    until = max([memory.until, *(one.at for one in news)])
    return replace(memory, held=held, number=number, until=until), tuple(notices)


def idle(memory: Memory, now: float, pace: Pace) -> Memory:
    """Give what is remembered while there is nobody to tell, and so nothing is looked at."""
    if not 0 <= now - memory.looked <= pace.gap:
        memory = _after_gap(memory, now, pace)
    return replace(memory, looked=now, until=now)


def _after_gap(memory: Memory, now: float, pace: Pace) -> Memory:
    until = min(memory.until or now, now)
    return replace(memory, looked=now, settled=now + pace.settle, until=until)


def calm(held: Held, pace: Pace) -> float:
    """Give how long a trouble has to be gone before that is told."""
    return float(min(pace.calm * 2.0 ** max(0, min(held.begins, 30) - 1), pace.most_calm))


def _seen(before: Mapping[Name, Held], looked: Looked, now: float) -> dict[Name, Held]:
    """Take what is seen now, and what is not any more."""
    held = {name: _no_later(one, now) for name, one in before.items()}
    found = {one.name: one for one in looked.troubles}
    named = Counter(one.trouble.node for one in held.values() if one.trouble.subject)
    for name, trouble in found.items():
        one, many = held.get(name), trouble.subject and named[trouble.node] >= MOST_OF_NODE
        if one is None and (many or len(held) >= MOST_HELD):
            continue
        named[trouble.node] += one is None and bool(trouble.subject)
        if one is None or one.ended:
            begins = one.begins if one is not None else 0
            held[name] = Held(trouble=trouble, seen=now, begins=begins)
        else:
            held[name] = replace(one, trouble=trouble, gone=0.0)
    for name, one in tuple(held.items()):
        trouble = one.trouble
        kept = trouble.personal and trouble.node in looked.unsure
        if name in found or one.ended or kept:
            continue
        if one.told:
            held[name] = replace(one, gone=one.gone or now)
        elif one.begins:
            held[name] = replace(one, ended=now)
        else:
            del held[name]
    return held


def _no_later(one: Held, now: float) -> Held:
    """Give what a clock that was set back leaves: nothing lies in the future."""
    if max(one.seen, one.told, one.gone, one.ended) <= now:
        return one
    return replace(
        one,
        seen=min(one.seen, now),
        told=min(one.told, now),
        gone=min(one.gone, now),
        ended=min(one.ended, now),
    )


def _forgotten(held: Mapping[Name, Held], now: float, pace: Pace) -> dict[Name, Held]:
    return {
        name: one
        for name, one in held.items()
        if not one.ended or now - one.ended < max(pace.memory, calm(one, pace))
    }


Telling = tuple[Status, Group, list[Name]]


def _begins(held: Mapping[Name, Held], now: float, pace: Pace) -> Iterable[Telling]:
    for group, names in _grouped(held, lambda one: not (one.told or one.ended)):
        if now - min(held[name].seen for name in names) >= pace.gather:
            yield "begins", group, names


def _goes_on(held: Mapping[Name, Held], now: float, pace: Pace) -> Iterable[Telling]:
    """Tell again what has gone on for long, with what will have in a moment."""
    if not pace.again:
        return
    going = _grouped(held, lambda one: bool(one.told and not one.gone and not one.ended))
    for group, names in going:
        ages = {name: now - held[name].told for name in names}
        if max(ages.values()) >= pace.again:
            soon = pace.again - pace.gather
            yield "goes-on", group, [name for name, age in ages.items() if age >= soon]


def _ends(held: Mapping[Name, Held], now: float, pace: Pace) -> Iterable[Telling]:
    calmed = _grouped(
        held,
        lambda one: bool(one.gone and not one.ended and now - one.gone >= calm(one, pace)),
    )
    for group, names in calmed:
        if max(now - held[name].gone - calm(held[name], pace) for name in names) >= pace.gather:
            yield "ended", group, names


def _grouped(
    held: Mapping[Name, Held], wanted: Callable[[Held], bool]
) -> list[tuple[Group, list[Name]]]:
    found: dict[Group, list[Name]] = defaultdict(list)
    for name, one in held.items():
        if wanted(one):
            found[one.trouble.group].append(name)
    return sorted((group, sorted(names)) for group, names in found.items())


def _told(one: Held, status: Status, now: float) -> Held:
    if status == "ended":
        return replace(one, ended=now, told=0.0, gone=0.0)
    return replace(one, told=now, begins=one.begins + (status == "begins"))


def _notice(number: int, status: Status, group: Group, held: list[Held], now: float) -> Notice:
    listed = tuple(_item(one, status) for one in held[:MOST_LISTED])
    event, word = held[0].trouble.event, group[1]
    more = len(held) - len(listed)
    return Notice(
        number=number, status=status, event=event, word=word, at=now, items=listed, more=more
    )


def _item(one: Held, status: Status) -> Item:
    trouble = one.trouble
    return Item(
        node=trouble.node,
        subject=trouble.subject,
        since=trouble.since,
        until=one.gone,
        why=trouble.why,
        remedy=trouble.remedy if status != "ended" else "",
        begins=one.begins + (status == "begins"),
    )


def _happened(number: int, one: Happened, now: float) -> Notice:
    item = Item(subject=one.subject, since=one.at, why=one.why, remedy=one.remedy)
    return Notice(
        number=number, status="happened", event=one.event, word=one.word, at=now, items=(item,)
    )
