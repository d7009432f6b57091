"""What nodes report: each item is taken once, in the order of its numbers.

    reported/NODE/INCARNATION    the last number that was taken
    results/NODE                 how its last document went

* A Report that comes again changes nothing: (node, incarnation, number) tells what is known.
* The number, the result and the drift are one commit; only after it an Ack may be said.
* What is acknowledged is the report's last number, also where all of it was known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saltern_protocol.messages import Report
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Hindrance, Item

from saltern_master.records import drift
from saltern_master.records.codec import Held, Record, every, hold, put
from saltern_master.store import Store, Write


class Reported(Record, frozen=True):
    """Everything up to this number is in the store."""

    seq: int


class Result(Record, frozen=True):
    """How a node's last document went. Times are seconds since 1970; `body` has 64 digits."""

    node: str
    incarnation: str
    at: float
    turn: int
    epoch: int
    version: int
    body: str
    outcome: str
    changes: int
    seconds: float
    reason: str = ""
    why: str = ""
    hindrances: tuple[Hindrance, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a report comes to. `items`: those that were new; `drift`: the records that changed."""

    writes: tuple[Write, ...]
    reported: Reported
    opened: drift.Open
    items: tuple[Item, ...] = ()
    drift: tuple[drift.Drift, ...] = ()


def reported_key(node: str, incarnation: str) -> str:
    """Where it stands up to which number a node's word is kept."""
    return f"reported/{node}/{incarnation}"


def hold_reported(store: Store, node: str, incarnation: str) -> Held[Reported]:
    """Read up to which number a node's word is kept."""
    return hold(store, reported_key(node, incarnation), Reported)


def result_key(node: str) -> str:
    """Where the last result of a node stands."""
    return f"results/{node}"


def every_result(store: Store) -> tuple[Result, ...]:
    """Give the last result of each node."""
    return every(store, "results/", Result)


def last_number(report: Report) -> int:
    """Give the number to acknowledge."""
    return report.first + len(report.items) - 1


def take(
    node: str,
    incarnation: str,
    report: Report,
    before: Held[Reported],
    opened: drift.Open,
    now: float,
) -> Taken:
    """Give the writes of what is new in a report; none where all of it is known."""
    known = before.value.seq if before.value is not None else 0
    items = report.items[max(0, known + 1 - report.first) :]
    reported = Reported(seq=max(known, last_number(report)))
    if not items:
        return Taken((), reported, opened)
    writes: dict[str, Write] = {}
    changed: list[drift.Drift] = []
    for item in items:
        if isinstance(item, Applied):
            result = _result(node, incarnation, item)
            writes[result_key(node)] = put(result_key(node), result)
        else:
            opened, more = _drifted(node, incarnation, item, opened, now)
            changed += more
    return Taken(
        (*before.replaced(reported), *writes.values(), *drift.writes_of(changed)),
        reported,
        opened,
        items,
        _last_of_each(changed),
    )


def _drifted(
    node: str, incarnation: str, item: DriftSeen | DriftEnded, opened: drift.Open, now: float
) -> tuple[drift.Open, tuple[drift.Drift, ...]]:
    if isinstance(item, DriftSeen):
        return drift.begin(opened, drift.seen(node, incarnation, item, now))
    return drift.end(opened, incarnation, item)


def _last_of_each(changed: Iterable[drift.Drift]) -> tuple[drift.Drift, ...]:
    return tuple({one.key: one for one in changed}.values())


def _result(node: str, incarnation: str, item: Applied) -> Result:
    return Result(
        node=node,
        incarnation=incarnation,
        at=item.at_us / 1e6,
        turn=item.turn,
        epoch=item.epoch,
        version=item.version,
        body=item.body.hex(),
        outcome=item.outcome,
        changes=item.changes,
        seconds=item.took_us / 1e6,
        reason=item.reason,
        why=item.why,
        hindrances=item.hindrances,
    )
