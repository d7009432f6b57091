"""What a node has to tell has a bound, and nothing that happened goes untold."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.journal import Journal
from saltern_agent.outbox import BATCH_ITEMS, TableOutbox
from saltern_protocol.report import Applied, DriftEnded, DriftSeen, Item, Outcome

from tests.agent.drifts import drift as drift_of
from tests.agent.test_journal import APPLIED

AT = 1_800_000_000_000_000  # microseconds; 2027-01-15T08:00:00Z
REFUSED = replace(APPLIED, turn=0, outcome=Outcome.REFUSED, reason="wrong-node", why="not for us")
MANY, MOST = 60, 120


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db", TableOutbox(lambda: None, MOST, MANY))


def all_of(journal: Journal) -> list[Item]:
    """Take everything out, report by report, as the master does; the numbers only rise."""
    items: list[Item] = []
    last = 0
    while (batch := journal.untold()).first:
        assert batch.first > last
        last = batch.first + len(batch.items) - 1
        items += batch.items
        journal.told(last)
    return items


def refuse(journal: Journal, times: int, item: Applied = REFUSED) -> None:
    for number in range(times):
        journal.tell(replace(item, at_us=AT + number * 1_000_000))


def drift(journal: Journal, resource: str, at: float, found: str = "write it") -> None:
    """Let a resource drift and be healed."""
    journal.record(drift_of(resource, at, (found,), at))
    journal.heal(resource, "healed", at + 1)


def test_equal_refusals_become_one_that_says_how_often_and_since_when(journal: Journal) -> None:
    refuse(journal, 200)

    told = all_of(journal)
    last = told[-1]
    assert len(told) == BATCH_ITEMS + 1
    assert isinstance(last, Applied)
    times = 200 - BATCH_ITEMS
    assert (
        last.why == f"not for us (this and its like: {times} times since 2027-01-15T08:00:50+00:00)"
    )
    assert last.at_us == AT + 199 * 1_000_000


def test_what_may_be_on_its_way_is_left_alone(journal: Journal) -> None:
    refuse(journal, BATCH_ITEMS)
    under_way = journal.untold()
    refuse(journal, 20)

    assert journal.untold().items == under_way.items
    journal.told(under_way.first + len(under_way.items) - 1)
    (rest,) = all_of(journal)
    assert isinstance(rest, Applied)
    assert "20 times" in rest.why


@pytest.mark.parametrize(
    "other",
    [
        replace(REFUSED, turn=7),
        replace(REFUSED, version=9),
        replace(REFUSED, reason="expired"),
        replace(REFUSED, why="something else"),
    ],
)
def test_refusals_that_differ_are_told_each(journal: Journal, other: Applied) -> None:
    refuse(journal, BATCH_ITEMS)
    refuse(journal, 10, other)
    refuse(journal, 10)
    refuse(journal, 10, other)

    rest = all_of(journal)[BATCH_ITEMS:]
    assert [one.reason for one in rest if isinstance(one, Applied)] == ["wrong-node", other.reason]
    assert ["times since" in one.why for one in rest if isinstance(one, Applied)] == [True, True]


def test_results_that_are_no_refusals_are_never_folded(journal: Journal) -> None:
    for _ in range(130):
        journal.tell(APPLIED)

    assert len(all_of(journal)) == 130


def test_each_drift_is_told_for_itself_while_few_wait(journal: Journal) -> None:
    for number in range(MANY // 2):
        drift(journal, "file", number)

    assert len(all_of(journal)) == 2 * (MANY // 2)


def test_drift_that_comes_again_and_again_is_counted(journal: Journal) -> None:
    for number in range(120):
        drift(journal, "file", 1000.0 + number)

    told = all_of(journal)
    ends = [one for one in told if isinstance(one, DriftEnded)]
    counted = sum(_times(one) for one in ends)
    assert counted == 120
    assert len(told) <= MANY + 4
    assert _pairs(told), "each end has its beginning before it"


def test_drift_that_was_found_to_be_something_else_is_told_for_itself(journal: Journal) -> None:
    for number in range(MANY):
        drift(journal, "file", number)
    drift(journal, "file", 5000.0, "make it")
    drift(journal, "file", 5002.0)

    last = [one for one in all_of(journal) if isinstance(one, DriftEnded)][-2:]
    assert "times" not in last[0].outcome
    assert "times" in last[1].outcome


def test_an_open_drift_that_changes_without_end_keeps_its_first_and_last(journal: Journal) -> None:
    for number in range(MANY):
        journal.tell(replace(APPLIED, version=number + 1))
    for number in range(40):
        journal.record(drift_of("file", 1.0, (f"write {number}",), 2.0))

    seen = [one for one in all_of(journal) if isinstance(one, DriftSeen)]
    assert [one.found for one in seen] == [("write 0",), ("write 39",)]


def test_where_many_wait_a_drift_is_told_without_its_diffs(journal: Journal) -> None:
    full = replace(drift_of("file", 1.0, ("write it",), 2.0), detail="-a\n+b\n")
    journal.record(full)
    for number in range(MANY):
        journal.tell(replace(APPLIED, version=number + 1))
    journal.record(replace(full, resource="other"))

    seen = [one for one in all_of(journal) if isinstance(one, DriftSeen)]
    assert [(one.resource, one.detail) for one in seen] == [("file", full.detail), ("other", "")]
    assert journal.open_drift()["other"].detail == full.detail


def test_a_fight_s_words_that_change_without_end_are_folded_too(journal: Journal) -> None:
    for number in range(MANY):
        journal.tell(replace(APPLIED, version=number + 1))
    one = drift_of("file", 1.0, ("write it",), 2.0)
    for number in range(40):
        journal.record(replace(one, hindrance=f"tried {number} times", incident=number > 3))

    seen = [one for one in all_of(journal) if isinstance(one, DriftSeen)]
    assert [(one.hindrance, one.incident) for one in seen] == [
        ("tried 0 times", False),
        ("tried 39 times", True),
    ]


def test_an_outbox_has_a_bound_whatever_happens(journal: Journal) -> None:
    for number in range(150):
        resource = f"file-{number % 5}"
        journal.record(drift_of(resource, number, (f"a {number}",), number))
        journal.record(drift_of(resource, number, (f"b {number}",), number))
        journal.heal(resource, f"healed {number}", number + 1)
        journal.tell(replace(REFUSED, version=number + 1, why=f"for {number}"))

    told = all_of(journal)
    assert len(told) <= MOST + 5 * 5 + BATCH_ITEMS
    assert sum(_times(one) for one in told if isinstance(one, DriftEnded)) == 150
    assert sum(_times(one) for one in told if isinstance(one, Applied)) == 150
    assert _pairs(told)


def test_marks_go_with_their_items(journal: Journal, tmp_path: Path) -> None:
    for number in range(60):
        drift(journal, "file", number)
        refuse(journal, 1)
    all_of(journal)

    connection = sqlite3.connect(tmp_path / "journal.db")
    assert connection.execute("SELECT count(*) FROM alike").fetchone() == (0,)
    connection.close()


def _times(item: Applied | DriftEnded) -> int:
    text = item.why if isinstance(item, Applied) else item.outcome
    _, mark, told = text.partition("(this and its like: ")
    return int(told.split()[0]) if mark else 1


def _pairs(told: list[Item]) -> bool:
    begun: set[int] = set()
    for one in told:
        if isinstance(one, DriftSeen):
            begun.add(one.number)
        elif isinstance(one, DriftEnded) and one.number not in begun:
            return False
    return True
