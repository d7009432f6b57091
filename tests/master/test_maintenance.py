"""When maintenance windows are open: midnight, the end of a month, clocks that are set."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saltern_master.cluster.faults import ClusterFileError
from saltern_master.cluster.load import load
from saltern_master.cluster.maintenance import DAYS, Span, joined, spans
from saltern_master.cluster.model import Window

from tests.master.clusters import SMALL

BERLIN = "Europe/Berlin"


def window(begins: str, ends: str, **more: Any) -> Window:  # noqa: ANN401 - its fields
    return Window(name="w", begins=begins, ends=ends, why="patches", **more)


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def around(one: Window, now: str) -> list[str]:
    """Give the spans of a window that end within two days of a moment, in UTC."""
    near = [span for span in spans(one, at(now)) if abs(span.ends - at(now)) <= 2 * 86400]
    return [f"{_utc(span.begins)} to {_utc(span.ends)}" for span in near]


def _utc(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("one", "now", "open_"),
    [
        pytest.param(
            window("02:00", "04:00", days=("wed",)),
            "2026-11-25T03:00",
            ["11-25 02:00 to 11-25 04:00"],
            id="a day of the week",
        ),
        pytest.param(
            window("22:00", "02:00", days=("sat",)),
            "2026-11-29T01:00",
            ["11-28 22:00 to 11-29 02:00"],
            id="past midnight it is of the day on which it began",
        ),
        pytest.param(
            window("23:00", "01:00", days=("thu",)),
            "2026-12-31T23:30",
            ["12-31 23:00 to 01-01 01:00"],
            id="past the end of the year",
        ),
        pytest.param(
            window("20:00", "24:00", days=("sat",)),
            "2026-01-31T21:00",
            ["01-31 20:00 to 02-01 00:00"],
            id="to the end of a month",
        ),
        pytest.param(
            window("23:30", "00:30", days=("sat",)),
            "2028-02-29T00:00",
            [],
            id="not on a Tuesday, leap day or not",
        ),
        pytest.param(
            window("23:30", "00:30", days=("tue",)),
            "2028-02-29T23:45",
            ["02-29 23:30 to 03-01 00:30"],
            id="past a leap day",
        ),
        pytest.param(
            window("00:00", "24:00", days=("sat", "sun")),
            "2026-11-29T12:00",
            ["11-28 00:00 to 11-30 00:00"],
            id="two whole days are one span",
        ),
        pytest.param(
            window("00:30", "02:00", zone="Pacific/Auckland", days=("mon",)),
            "2026-11-22T12:00",
            ["11-22 11:30 to 11-22 13:00"],
            id="the day is the zone's",
        ),
        pytest.param(
            window("02:00", "04:00", zone=BERLIN, days=("sun",)),
            "2026-03-29T01:30",
            ["03-29 01:00 to 03-29 02:00"],
            id="clocks go forward: one hour is skipped",
        ),
        pytest.param(
            window("02:15", "02:45", zone=BERLIN, days=("sun",)),
            "2026-03-29T01:30",
            ["03-29 01:15 to 03-29 01:45"],
            id="clocks go forward over all of it: it is an hour later",
        ),
        pytest.param(
            window("02:30", "03:15", zone=BERLIN, days=("sun",)),
            "2026-03-29T01:30",
            [],
            id="clocks go forward past its end",
        ),
        pytest.param(
            window("02:00", "04:00", zone=BERLIN, days=("sun",)),
            "2026-10-25T01:30",
            ["10-25 00:00 to 10-25 03:00"],
            id="clocks go back: three hours",
        ),
        pytest.param(
            window("02:30", "02:45", zone=BERLIN, days=("sun",)),
            "2026-10-25T01:00",
            ["10-25 00:30 to 10-25 01:45"],
            id="clocks go back over it: from the first to the second",
        ),
        pytest.param(
            window("22:00", "03:00", zone=BERLIN, days=("sat",)),
            "2026-10-25T01:30",
            ["10-24 20:00 to 10-25 02:00"],
            id="clocks go back in the night that it passes",
        ),
    ],
)
def test_a_window_is_open(one: Window, now: str, open_: list[str]) -> None:
    assert around(one, now) == open_


def test_a_daily_window_opens_each_day_for_more_than_a_week() -> None:
    found = spans(window("02:00", "04:00"), at("2026-11-24T12:00"))
    later = [span for span in found if span.begins > at("2026-11-24T12:00")]
    assert [_utc(span.begins) for span in later[:2]] == ["11-25 02:00", "11-26 02:00"]
    assert len(later) == 9


SPANS = st.builds(
    lambda begins, length: Span(begins, begins + length), st.integers(0, 60), st.integers(0, 9)
)


@given(st.lists(SPANS))
def test_joined_spans_have_the_same_moments_and_gaps_between_them(found: list[Span]) -> None:
    together = joined(found)
    for moment in range(71):
        assert any(s.has(moment) for s in together) == any(s.has(moment) for s in found)
    for before, after in pairwise(together):
        assert before.ends < after.begins


@given(
    st.floats(at("2024-01-01"), at("2031-01-01")),
    st.sampled_from([BERLIN, "UTC", "America/St_Johns", "Australia/Lord_Howe"]),
    st.sets(st.sampled_from(DAYS), min_size=1),
    st.tuples(st.integers(0, 47), st.integers(0, 47)).filter(lambda one: one[0] != one[1]),
)
def test_no_moment_of_a_window_is_forgotten_whenever_it_is_asked_for(
    now: float, zone: str, days: set[Any], halves: tuple[int, int]
) -> None:
    begins, ends = (f"{half // 2:02}:{half % 2 * 30:02}" for half in halves)
    one = window(begins, ends, zone=zone, days=tuple(sorted(days)))
    later = now + 3 * 86400
    asked = any(span.has(later) for span in spans(one, now))
    assert asked == any(span.has(later) for span in spans(one, later))


BAD = """\
maintenance:
- {name: nightly, days: [sat, sut, sat], from: "2:00", to: "04:00", zone: Europe/Berln, why: x}
- {name: nightly, days: weekly, from: "02:00", to: "02:00", why: ""}
- {name: c, days: [], from: "00:00", to: "24:00", why: x, nodes: "connected,rle=worker"}
- {name: d, from: "00:00", to: "24:00", why: x, nodes: "w9", zone: Europe}
- {name: e, days: [mon, mon], from: "00:00", why: x, nodes: "state=joined"}
"""


def test_every_fault_of_a_window_is_told_with_its_line() -> None:
    with pytest.raises(ClusterFileError) as caught:
        load((SMALL + BAD).encode())
    told = [str(fault) for fault in caught.value.faults]
    target = next(one for one in told if one.startswith("maintenance[2].nodes"))
    assert target.startswith("maintenance[2].nodes: line 10: rle=worker: there is no rle; did you")
    assert [one for one in told if one != target] == [
        'maintenance[0].days[1]: line 8: "sut" is none of mon, tue, wed, thu, fri, sat, sun',
        'maintenance[0].from: line 8: "2:00" is not a time of the day like "02:00"',
        'maintenance[0].zone: line 8: there is no zone "Europe/Berln"; did you mean Europe/Berlin?',
        'maintenance[1].days: line 9: "weekly" is not daily or a list of mon, tue, wed, thu, fri, '
        "sat, sun",
        "maintenance[1].name: line 9: maintenance[0] has the name nightly too",
        "maintenance[1].to: line 9: it begins at 02:00 too; a whole day is from 00:00 to 24:00",
        'maintenance[1].why: line 9: "" is not a reason of one line, 200 characters at most',
        "maintenance[2].days: line 10: a window has at least one day; every day is: daily",
        'maintenance[3].nodes: line 11: "w9" means no node',
        "maintenance[3].to: line 11: it never ends; where drift is to be left alone for good, "
        "write drift: {mode: report} in the resource",
        'maintenance[3].zone: line 11: there is no zone "Europe"; did you mean Europe/Rome?',
        "maintenance[4].days[1]: line 12: the window has mon already",
        "maintenance[4].nodes: line 12: state=joined: a window's nodes are named by what stays: "
        "not state",
        "maintenance[4].to: line 12: is missing",
    ]


def test_a_window_in_a_file_has_the_usual_values_and_its_own() -> None:
    text = """\
maintenance:
- {name: a, from: "02:00", to: "04:00", why: patches}
- {name: b, days: [sat, sun], from: "22:00", to: "24:00", zone: Europe/Berlin, nodes: w1, why: x}
"""
    first, second = load((SMALL + text).encode()).cluster.maintenance
    assert (first.days, first.zone, first.nodes) == ("daily", "UTC", "")
    assert (second.days, second.begins, second.ends) == (("sat", "sun"), "22:00", "24:00")
    assert (second.zone, second.nodes) == (BERLIN, "w1")
