"""What the journal remembers, also through a crash and a second opening."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from saltern_agent.drift_record import MAX_CLOSED
from saltern_agent.journal import Journal, JournalError
from saltern_protocol.report import Applied, Outcome
from saltern_states.body import DriftPolicy, Resource
from saltern_states.file import File
from saltern_states.kinds import KINDS

from tests.agent.drifts import drift as drift_of

A = Resource(
    id="a",
    spec=File(path="/etc/a", text="a"),
    after=("b",),
    drift=DriftPolicy(mode="report"),
    on_removal="keep",
)

APPLIED = Applied(
    at_us=2_000_000,
    turn=7,
    epoch=1,
    version=1,
    body=bytes(32),
    outcome=Outcome.CHANGED,
    changes=1,
    took_us=1_000_000,
)


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.db")


def test_an_accepted_statement_is_unfinished_until_a_converge_ended(journal: Journal) -> None:
    assert journal.accepted() is None

    journal.accept(b"one", now=1.0)
    before = journal.accepted()
    journal.finish(APPLIED)
    after = journal.accepted()

    assert before is not None
    assert after is not None
    assert (before.statement, before.unfinished, after.unfinished) == (b"one", True, False)


def test_it_is_all_there_when_opened_again(tmp_path: Path) -> None:
    first = Journal(tmp_path / "journal.db")
    first.accept(b"one", now=1.0)
    first.own(A)
    first.record(drift_of("a", 1.0, ("write /etc/a",), 1.5))
    # No close: as after a kill.

    second = Journal(tmp_path / "journal.db")

    assert second.accepted() == first.accepted()
    assert second.owned() == {"a": A}
    assert second.open_drift()["a"].found == ("write /etc/a",)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_resource_of_every_kind_is_owned_and_disowned(journal: Journal, kind: object) -> None:
    resource = Resource(id="one", spec=kind.example)  # type: ignore[attr-defined]

    journal.own(resource)
    owned = journal.owned()
    journal.disown("one")

    assert owned == {"one": resource}
    assert journal.owned() == {}


def test_a_resource_has_one_open_drift_as_old_as_its_first_sign(journal: Journal) -> None:
    journal.record(drift_of("a", 1.0, ("one",), 1.1))
    journal.record(drift_of("a", 2.0, ("two",), 2.1, "look"))

    (drift,) = journal.drift()
    assert (drift.since, drift.recorded, drift.seen, drift.found) == (1.0, 1.1, "event", ("two",))


def test_drift_that_ended_can_come_again(journal: Journal) -> None:
    journal.record(drift_of("a", 1.0, ("one",), 1.1))
    journal.heal("a", "healed", now=1.2)
    journal.record(drift_of("a", 5.0, ("one",), 5.1))

    assert [drift.healed for drift in journal.drift()] == [None, 1.2]


def test_the_newest_attempts_of_a_resource_are_kept_until_it_is_taken_back(
    journal: Journal,
) -> None:
    for at in (1.0, 2.0, 3.0):
        journal.attempt("a", at, most=2)
    journal.attempt("b", 1.0, most=2)
    assert journal.attempts() == {"a": (2.0, 3.0), "b": (1.0,)}

    journal.disown("a")
    assert journal.attempts() == {"b": (1.0,)}


def test_a_full_journal_refuses_a_write_whole_and_can_be_read(journal: Journal) -> None:
    journal.record(drift_of("a", 1.0, ("one",), 1.1))
    (pages,) = journal._db.execute("PRAGMA page_count").fetchone()
    journal._db.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(JournalError, match=r"database or disk is full; .* bytes free"):
        journal.accept(b"s" * 65536, now=2.0)

    assert journal.accepted() is None
    assert journal.open_drift().keys() == {"a"}
    journal._db.execute(f"PRAGMA max_page_count = {pages + 100}")
    journal.accept(b"s" * 65536, now=2.0)
    assert journal.accepted() is not None


def test_a_journal_that_is_damaged_below_us_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.own(A)
    journal.close()
    with (tmp_path / "journal.db").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 65536)

    with pytest.raises(JournalError, match="cannot"):
        Journal(tmp_path / "journal.db").owned()


def test_why_drift_stays_open_is_told(journal: Journal) -> None:
    journal.record(drift_of("a", 1.0, ("one",), 1.1))
    journal.record(replace(journal.open_drift()["a"], hindrance="the disk is full"))

    assert journal.open_drift()["a"].hindrance == "the disk is full"


def test_closed_drift_is_bounded_and_open_drift_is_kept(journal: Journal) -> None:
    journal.record(drift_of("kept", 0.0, ("one",), 0.0))
    for number in range(MAX_CLOSED // 100):  # the bound is by number: leap there, then go on
        journal.record(drift_of("a", float(number), ("one",), float(number)))
        journal.heal("a", "healed", now=float(number))
    journal._db.execute(
        "UPDATE sqlite_sequence SET seq = seq + ? WHERE name='drift'", (MAX_CLOSED,)
    )
    journal.record(drift_of("a", 1e6, ("last",), 1e6))
    journal.heal("a", "healed", now=1e6)

    assert [drift.resource for drift in journal.drift()] == ["a", "kept"]


def test_a_file_that_is_no_journal_is_told(tmp_path: Path) -> None:
    (tmp_path / "journal.db").write_bytes(b"not a database, but long enough to be looked at" * 99)

    with pytest.raises(JournalError, match="cannot open the journal"):
        Journal(tmp_path / "journal.db")


def test_the_journal_and_what_lies_beside_it_are_ours_alone(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        journal = Journal(tmp_path / "journal.db")
        journal.accept(b"one", now=1.0)
        modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
        journal.close()
    finally:
        os.umask(before)

    assert modes == {"journal.db": 0o600, "journal.db-wal": 0o600, "journal.db-shm": 0o600}
