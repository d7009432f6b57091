"""Drift of one node, whatever it tells, takes up so much of the store and no more."""

from __future__ import annotations

from msgspec.structs import replace
from saltern_master.records import drift
from saltern_master.store import MemoryStore
from saltern_protocol.report import DriftEnded, DriftSeen

INC = "ab" * 16


def seen(number: int, resource: str, *found: str) -> DriftSeen:
    return DriftSeen(
        number=number,
        resource=resource,
        kind="file/1",
        since_us=number,
        recorded_us=number,
        seen="event",
        found=found or ("changed",),
    )


def hostile(number: int, resource: str) -> DriftSeen:
    """The largest that a message takes."""
    return replace(
        seen(number, resource), found=("\U0001f9c2" * 4096,) * 60, kind="k" * 256, seen="s" * 256
    )


def test_a_node_that_tells_as_much_as_it_can_takes_up_so_much_and_no_more() -> None:
    """Its log, with drifts that end, and what it leaves open; 15 MB a hundred without bounds."""
    store, opened = MemoryStore(), drift.NOTHING
    for number in range(1, 3001):
        opened, changed = drift.begin(
            opened, drift.seen("w1", INC, hostile(number, "r" * 200 + str(number)), 9.0)
        )
        store.commit(*drift.writes_of(changed))
        if number < 2000:
            ended = DriftEnded(
                number=number,
                resource="r" * 200 + str(number),
                healed_us=number + 1,
                outcome="o" * 4096,
            )
            opened, changed = drift.end(opened, INC, ended)
            store.commit(*drift.writes_of(changed))
        if number % 500 == 0:
            store.commit(*drift.surplus(store, "w1"))
    log = sum(len(one.value) for one in store.list("drift/", most=9999))
    still = sum(len(one.value) for one in store.list("opendrift/", most=9999))

    assert 0 < len(opened) < 1000
    assert still < 5 * drift.MOST_OPEN_TEXT
    assert log < drift.KEPT_BYTES + still + 500 * 5 * drift.MOST_FOUND


def test_what_a_drift_found_is_cut_and_says_so() -> None:
    short = drift.seen("w1", INC, seen(1, "r"), 9.0)
    long = drift.seen("w1", INC, hostile(1, "r"), 9.0)

    assert short.found == seen(1, "r").found
    assert sum(map(len, long.found[:-1])) == drift.MOST_FOUND
    assert long.found[-1] == f"... {60 * 4096 - 2048} characters more, which are not kept"


def test_a_whole_body_that_drifts_is_believed() -> None:
    """The honest neighbour: every resource of the largest body, with a line or two for each."""
    opened = drift.NOTHING
    for number in range(1, drift.MOST_OPEN + 1):
        one = replace(
            seen(number, f"some/resource/{number}"), found=("content: 120 bytes, was 118",) * 3
        )
        opened, changed = drift.begin(opened, drift.seen("w1", INC, one, 9.0))
        assert changed

    assert len(opened) == drift.MOST_OPEN
