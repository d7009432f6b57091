"""Drift as nodes told it: a log by node, and what of it is open.

    drift/NODE/RECORDED-NUMBER-INCARNATION    one deviation; the order of keys is the node's time
    opendrift/NODE/RESOURCE                   the same, as long as it is open

* A resource has at most one open drift. What was told twice is stored once.
* An end without its beginning says nothing and is passed over.
* A new drift of a resource whose old one never ended (its end was lost with a node's journal)
  ends the old one as SUPERSEDED.
* The log is bounded, in drifts and in bytes: surplus() gives the oldest of what has ended. So is
  what is open: beyond MOST_OPEN, or MOST_OPEN_TEXT, which no body can make true, a node is not
  believed. Of what one drift found, MOST_FOUND characters are kept, and how many were not is said.
  So one node, whatever it tells, takes up some 10 MiB, and not as much as it likes.

Times of the node are seconds since 1970; keys carry them as microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from msgspec.structs import replace
from saltern_protocol.report import DriftEnded, DriftSeen, Nature

from saltern_master.records.codec import PAGE, Record, every, numbered, put, read
from saltern_master.store import Delete, Entry, Store, Write

KEPT = 1000
"""Drifts of one node that are kept, at least."""
MOST_OPEN: Final = 4096
"""More than the resources of a body of the largest size (MAX_BODY_BYTES)."""
MOST_OPEN_TEXT: Final = 1024 * 1024
"""Characters of open drift of one node, beyond which none is taken that is longer than SHORT."""
MOST_OPEN_DETAIL: Final = MOST_OPEN_TEXT // 2
"""Characters of differences of all open drift of one node."""
SHORT: Final = MOST_OPEN_TEXT // MOST_OPEN
MOST_FOUND: Final = 2048
MOST_DETAIL: Final = 8 * 1024
MOST_OUTCOME: Final = 1024
MOST_HINDRANCE: Final = 1024
KEPT_BYTES: Final = 4 * 1024 * 1024
"""Of the log of one node, that are kept at most, but for what is open."""
MOST_DELETED: Final = 1000
EARLIEST: Final = 1e-6
"""When an end that was told as 0 was: 0 means that there is none yet."""
SUPERSEDED = "its end was never told; a newer drift of this resource was"


class Drift(Record, frozen=True):
    """One deviation of one resource from the body that the node lives by."""

    node: str
    incarnation: str
    number: int  # in the node's own journal
    resource: str
    kind: str
    since: float
    recorded_us: int
    stored: float  # when it came here
    seen: str
    found: tuple[str, ...]
    healed: float = 0.0  # 0: it is open
    outcome: str = ""
    detail: str = ""  # unified diffs
    by: str = ""  # "": the kernel did not tell
    nature: Nature = Nature.EXTERNAL
    hindrance: str = ""  # why it is not set right; the last one, where it was
    attempts: int = 0
    incident: bool = False

    @property
    def recorded(self) -> float:
        """When the node wrote it down."""
        return self.recorded_us / 1e6

    @property
    def key(self) -> str:
        """Where it stands."""
        at = f"{numbered(self.recorded_us)}-{numbered(self.number)}-{self.incarnation}"
        return f"drift/{self.node}/{at}"

    @property
    def open_key(self) -> str:
        """Where it stands while it is open."""
        return f"opendrift/{self.node}/{self.resource}"

    @property
    def text(self) -> int:
        """How many characters a node can make it have, but for the differences."""
        found = sum(map(len, self.found)) + len(self.hindrance) + len(self.by)
        return len(self.resource) + len(self.kind) + len(self.seen) + found

    @property
    def weight(self) -> int:
        """How many drifts of the usual length it is as long as."""
        return 1 + (self.text + len(self.detail)) // MOST_FOUND


Open = Mapping[str, Drift]
"""The open drift of one node, by resource."""
NOTHING: Final[Open] = MappingProxyType({})


def seen(node: str, incarnation: str, item: DriftSeen, now: float) -> Drift:
    """Give the record of what a node found."""
    return Drift(
        node=node,
        incarnation=incarnation,
        number=item.number,
        resource=item.resource,
        kind=item.kind,
        since=item.since_us / 1e6,
        recorded_us=item.recorded_us,
        stored=now,
        seen=item.seen,
        found=shortened(item.found),
        detail="\n".join(shortened((item.detail,), MOST_DETAIL)) if item.detail else "",
        by=item.by,
        nature=item.nature,
        hindrance=item.hindrance[:MOST_HINDRANCE],
        attempts=item.attempts,
        incident=item.incident,
    )


def shortened(lines: tuple[str, ...], most: int = MOST_FOUND) -> tuple[str, ...]:
    """Give as much of the lines as is kept; the last one then says how much is not."""
    kept: list[str] = []
    room = most
    for line in lines:
        kept += [line[:room]] if room else []
        room -= len(line[:room])
    left = sum(map(len, lines)) - (most - room)
    return (*kept, f"... {left} characters more, which are not kept") if left else tuple(kept)


def begin(opened: Open, drift: Drift) -> tuple[Open, tuple[Drift, ...]]:
    """Take a drift, new or found to be something else now; give what is open and what changed."""
    before = opened.get(drift.resource)
    if before is not None and before.key == drift.key:
        drift = _fitting(opened, replace(drift, stored=before.stored), before)
        anew = _as_short(before, drift) if _too_much(opened, drift, before) else drift
        return {**opened, drift.resource: anew}, (anew,) if anew != before else ()
    if _too_much(opened, drift, before):
        return opened, ()
    drift = _fitting(opened, drift, before)
    lost = () if before is None else (_ended(before, drift.recorded, SUPERSEDED),)
    return {**opened, drift.resource: drift}, (*lost, drift)


def _fitting(opened: Open, drift: Drift, before: Drift | None) -> Drift:
    """Leave out the differences where there are too many in what is open, and say so."""
    if not drift.detail:
        return drift
    there = sum(len(one.detail) for one in opened.values() if one is not before)
    if there + len(drift.detail) <= MOST_OPEN_DETAIL:
        return drift
    return replace(drift, detail=f"... {len(drift.detail)} characters, which are not kept")


def _as_short(before: Drift, drift: Drift) -> Drift:
    """Give what was known already, with what is new and takes no room."""
    return replace(before, nature=drift.nature, attempts=drift.attempts, incident=drift.incident)


def _too_much(opened: Open, drift: Drift, before: Drift | None) -> bool:
    if before is None and len(opened) >= MOST_OPEN:
        return True
    if drift.text <= SHORT:
        return False
    text = sum(one.text for one in opened.values()) - (before.text if before is not None else 0)
    return text + drift.text > MOST_OPEN_TEXT


def end(opened: Open, incarnation: str, item: DriftEnded) -> tuple[Open, tuple[Drift, ...]]:
    """Take an end; give what is open still and what changed."""
    before = opened.get(item.resource)
    if before is None or (before.incarnation, before.number) != (incarnation, item.number):
        return opened, ()
    rest = {name: one for name, one in opened.items() if name != item.resource}
    return rest, (_ended(before, item.healed_us / 1e6, item.outcome[:MOST_OUTCOME]),)


def end_all(opened: Iterable[Drift], at: float, outcome: str) -> tuple[Drift, ...]:
    """End what is open: its node was removed, or begins anew."""
    return tuple(_ended(one, at, outcome) for one in opened)


def writes_of(changed: Iterable[Drift]) -> tuple[Write, ...]:
    """Give the writes of drifts that changed, in their order; each key is written once."""
    writes: dict[str, Write] = {}
    for one in changed:
        writes[one.key] = put(one.key, one)
        writes[one.open_key] = Delete(one.open_key) if one.healed else put(one.open_key, one)
    return tuple(writes.values())


def open_drift(store: Store, node: str = "") -> tuple[Drift, ...]:
    """Give what is open on a node; "": on all."""
    return every(store, f"opendrift/{node}/" if node else "opendrift/", Drift)


def surplus(store: Store, node: str, kept: int = KEPT, opened: Open = NOTHING) -> tuple[Write, ...]:
    """Give the deletions of what has ended, but for the newest `kept`: the oldest, MOST_DELETED.

    Whatever times a node tells: the newest are those that were written last here, and what is open
    (`opened`) is passed over, however new it calls itself.
    """
    still = {one.key for one in opened.values()}
    log = (entry for entry in _log(store, node, kept) if entry.key not in still)
    ended = sorted(log, key=lambda entry: entry.revision, reverse=True)
    sizes = accumulate(len(entry.value) for entry in ended[:kept])
    fit = max(1, sum(size <= KEPT_BYTES for size in sizes))
    oldest = ended[fit:][-MOST_DELETED:]
    return tuple(Delete(entry.key) for entry in oldest if read(entry, Drift).healed)


def _log(store: Store, node: str, kept: int) -> Iterator[Entry]:
    """Give a node's log; of a longer one than can be, so much that some has to have ended."""
    prefix, after = f"drift/{node}/", ""
    for _ in range(2 + (MOST_OPEN + kept) // PAGE):
        page = store.list(prefix, after=after, most=PAGE, newest=True)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].key


def _ended(drift: Drift, at: float, outcome: str) -> Drift:
    return replace(drift, healed=max(at, EARLIEST), outcome=outcome)
