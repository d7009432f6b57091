"""Drift of one node, whatever it tells, takes up so much of the store and no more."""

from __future__ import annotations

from msgspec.structs import replace
from saltern_master.records import drift
from saltern_master.records.codec import every
from saltern_master.store import MemoryStore
from saltern_protocol.report import MAX_DETAIL, DriftEnded, DriftSeen

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
        seen(number, resource),
        found=("\U0001f9c2" * 4096,) * 60,
        kind="k" * 256,
        seen="s" * 256,
        detail="\U0001f9c2" * MAX_DETAIL,
        by="b" * 256,
        hindrance="\U0001f9c2" * 4096,
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
    assert still < 5 * (drift.MOST_OPEN_TEXT + drift.MOST_OPEN_DETAIL)
    assert log < drift.KEPT_BYTES + still + 500 * 5 * drift.MOST_FOUND


def ended_ones(store: MemoryStore, numbers: range, recorded_us: int) -> None:
    """Have drifts come and end, as a node whose clock stands there tells them."""
    for number in numbers:
        one = replace(seen(number, "r"), recorded_us=recorded_us + number)
        opened, begun = drift.begin(drift.NOTHING, drift.seen("w1", INC, one, 9.0))
        over = DriftEnded(number=number, resource="r", healed_us=1, outcome="healed")
        _, changed = drift.end(opened, INC, over)
        store.commit(*drift.writes_of((*begun, *changed)))


def test_what_is_open_and_calls_itself_new_keeps_nothing_else_for_ever() -> None:
    store, opened, future = MemoryStore(), drift.NOTHING, 10**17
    for number in range(1, 3000):
        one = replace(seen(number, f"o{number}"), recorded_us=future + number)
        opened, changed = drift.begin(opened, drift.seen("w1", INC, one, 9.0))
        store.commit(*drift.writes_of(changed))
    assert len(opened) == 2999

    for begin in range(3000, 9000, 500):
        ended_ones(store, range(begin, begin + 500), 0)
        store.commit(*drift.surplus(store, "w1", opened=opened))

    assert len(store.list("drift/", most=99_999)) == 2999 + drift.KEPT


def test_what_comes_after_a_clock_was_set_back_is_kept_in_place_of_what_came_before() -> None:
    store, hour = MemoryStore(), 3_600_000_000
    ended_ones(store, range(1, 2001), 2 * hour)
    store.commit(*drift.surplus(store, "w1"))
    ended_ones(store, range(2001, 2501), hour)

    store.commit(*drift.surplus(store, "w1"))

    kept = {one.number for one in every(store, "drift/w1/", drift.Drift)}
    assert kept == set(range(1501, 2501))


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


def test_what_is_too_long_for_all_that_is_open_loses_its_differences_alone() -> None:
    opened, told = drift.NOTHING, "-a\n+b\n" * 2000
    for number in range(1, 201):
        one = replace(seen(number, f"file/{number}"), detail=told, hindrance="h" * 4096)
        opened, changed = drift.begin(opened, drift.seen("w1", INC, one, 9.0))
        assert changed
    whole, cut = opened["file/1"], opened["file/200"]

    assert len(opened) == 200
    assert whole.detail.startswith(told[: drift.MOST_DETAIL])
    assert whole.detail.endswith(
        f"... {len(told) - drift.MOST_DETAIL} characters more, which are not kept"
    )
    assert cut.detail == f"... {len(whole.detail)} characters, which are not kept"
    assert len(cut.hindrance) == drift.MOST_HINDRANCE
    details = sum(len(one.detail) for one in opened.values() if one.detail.startswith("-"))
    assert drift.MOST_OPEN_DETAIL / 2 < details <= drift.MOST_OPEN_DETAIL


def test_what_is_open_grows_no_further_when_it_is_told_again() -> None:
    opened = drift.NOTHING
    for number in range(1, drift.MOST_OPEN + 1):
        one = drift.seen("w1", INC, seen(number, f"r{number}"), 9.0)
        opened, _ = drift.begin(opened, one)
    for number in range(1, 601):
        again = replace(hostile(number, f"r{number}"), attempts=number, incident=True)
        opened, _ = drift.begin(opened, drift.seen("w1", INC, again, 10.0))

    last = opened["r600"]
    assert sum(one.text for one in opened.values()) <= drift.MOST_OPEN_TEXT
    assert (last.found, last.attempts, last.incident) == (("changed",), 600, True)
