"""Maintenance windows: when each of them is open, and what can be wrong with one. Pure.

* A window is written in the wall clock of its zone, and is open between two moments in time. Where
  clocks go forward over its beginning or its end, that is as many minutes later as they skip;
  where they go back over one, the window begins at the earlier and ends at the later of the two.
* What follows without a gap is one span: 00:00 to 24:00 on [sat, sun] is open once, for two days.
* Spans are given for as far as somebody may plan: DAYS_AHEAD. A hold is never longer (lease.py).
* Which zones there are is the machine's own tz database (tzdata), read by zoneinfo.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Final, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from saltern_master.cluster.faults import Path, did_you_mean
from saltern_master.cluster.model import Day, Window
from saltern_master.cluster.shape import Reading
from saltern_master.subjects import WORDS, Subject
from saltern_master.targeting import TargetError, parse

DAYS: Final[tuple[str, ...]] = get_args(Day)
DAYS_AHEAD: Final = 9
"""More than MOST_HELD, and each window that there is opens within them."""
DAYS_BEHIND: Final = 2
PASSING: Final = ("connected", "state")
"""What a target may ask that a window's may not: it would open and close with the link."""
WRITTEN: Final = ("name", "role", "class")
"""What the file itself says of its nodes, beside labels."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """From when to when, in seconds since 1970; the end is not part of it."""

    begins: float
    ends: float

    def has(self, now: float) -> bool:
        """Tell whether a moment is in it."""
        return self.begins <= now < self.ends


def spans(window: Window, now: float) -> tuple[Span, ...]:
    """Give when a window is open, around a moment and for DAYS_AHEAD; those that meet are one."""
    zone = zone_of(window.zone)
    if zone is None:
        return ()  # the file was checked by a machine that knew it
    today = datetime.fromtimestamp(now, zone).date()
    dates = (today + timedelta(days=n) for n in range(-DAYS_BEHIND, DAYS_AHEAD + 1))
    return joined(_span(window, one, zone) for one in dates if _is_day(window, one))


def joined(found: Iterable[Span]) -> tuple[Span, ...]:
    """Give spans in order; those that meet or overlap are one, and empty ones none."""
    result: list[Span] = []
    for one in sorted(found):
        if one.begins >= one.ends:
            continue  # clocks went forward over all of it
        if result and one.begins <= result[-1].ends:
            result[-1] = Span(result[-1].begins, max(result[-1].ends, one.ends))
        else:
            result.append(one)
    return tuple(result)


def zone_of(name: str) -> tzinfo | None:
    """Give a zone by its name; None: this machine knows none of that name."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: "Europe" is a directory
        return None


def _is_day(window: Window, day: date) -> bool:
    return window.days == "daily" or DAYS[day.weekday()] in window.days


def _span(window: Window, day: date, zone: tzinfo) -> Span:
    passes = window.ends <= window.begins or window.ends == "24:00"
    begins = _moment(day, window.begins, zone)
    end = day + timedelta(days=1) if passes else day
    ends = _moment(end, "00:00" if window.ends == "24:00" else window.ends, zone)
    return Span(begins[0], max(ends))


def _moment(day: date, at: str, zone: tzinfo) -> tuple[float, float]:
    """Give when a clock on the wall shows this: the first time, and the second if there are two.

    One that is skipped is told by the offset before (fold 0), so it is as much later (PEP 495).
    """
    wall = datetime.combine(day, time.fromisoformat(at), zone)
    return wall.timestamp(), wall.replace(fold=1).timestamp()


def check_maintenance(reading: Reading) -> Iterator[tuple[Path, str]]:
    """Give every fault of the windows that no value has by itself."""
    first: dict[str, Path] = {}
    for path, name in reading.at("maintenance", "*", "name"):
        if name in first:
            yield path, f"maintenance[{first[name][1]}] has the name {name} too"
        first.setdefault(name, path)
    for path, days in reading.at("maintenance", "*", "days"):
        yield from _check_days(path, days)
    for path, zone in reading.at("maintenance", "*", "zone"):
        if zone_of(zone) is None:
            yield path, f'there is no zone "{zone}"{_near(zone)}'
    for path, ends in reading.at("maintenance", "*", "to"):
        yield from _check_times(reading, path, ends)
    for path, target in reading.at("maintenance", "*", "nodes"):
        yield from _check_target(reading, path, target)


def _near(zone: str) -> str:
    known = available_timezones()
    if not known:
        return " but UTC on the master's machine; install tzdata there"
    return did_you_mean(zone, {"UTC", *known})


def _check_days(path: Path, days: str | tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    if days == ():
        yield path, "a window has at least one day; every day is: daily"
    for place, day in enumerate(days if isinstance(days, tuple) else ()):
        if day in days[:place]:
            yield (*path, place), f"the window has {day} already"


def _check_times(reading: Reading, path: Path, ends: str) -> Iterator[tuple[Path, str]]:
    here = path[:-1]
    begins = reading.found.get((*here, "from"))
    days = reading.found.get((*here, "days"), "daily")
    if begins == ends:
        yield path, f"it begins at {begins} too; a whole day is from 00:00 to 24:00"
    if (begins, ends) == ("00:00", "24:00") and (days == "daily" or set(days) == set(DAYS)):
        text = "it never ends; where drift is to be left alone for good, write"
        yield path, f"{text} drift: {{mode: report}} in the resource"


def _check_target(reading: Reading, path: Path, text: str) -> Iterator[tuple[Path, str]]:
    nodes = tuple(_nodes(reading))
    try:
        target = parse(text, {key for node in nodes for key in node.labels})
    except TargetError as error:
        yield from ((path, fault) for fault in error.faults)
        return
    for term in target.terms:
        if term.word.name in PASSING:
            yield (
                path,
                f"{term.text}: a window's nodes are named by what stays: not {term.word.name}",
            )
    written = all(term.word.name in WRITTEN or _is_label(term.word.name) for term in target.terms)
    if target.terms and written and nodes and not target.of(nodes):
        yield path, f'"{text}" means no node'


def _is_label(word: str) -> bool:
    return word not in WORDS


def _nodes(reading: Reading) -> Iterator[Subject]:
    """Give the nodes as the file has them."""
    for path, name in reading.at("nodes", "*", "name"):
        roles = reading.found.get((*path[:-1], "roles"), ("worker",))
        strong = {"control-plane", "etcd"} & set(roles)
        labels = reading.found.get((*path[:-1], "labels"), {})
        yield Subject(name, "control-plane" if strong else "worker", roles, labels)
