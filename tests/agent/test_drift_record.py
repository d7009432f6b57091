"""The record of drift: what is kept of it, and journals of the former form."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from saltern_agent.drift import diffs
from saltern_agent.drift_record import MAX_DETAILED, Drift
from saltern_agent.items import cut_diff, drift_seen
from saltern_agent.journal import Journal, JournalError
from saltern_agent.outbox import TableOutbox
from saltern_agent.show import show_drift
from saltern_protocol.report import MAX_DETAIL, DriftSeen, Nature
from saltern_protocol.wire import pack, unpack
from saltern_states.file import File
from saltern_states.kinds import kind_of
from saltern_states.testing import FakeHost

from tests.agent.drifts import drift as drift_of

FORMER = """
CREATE TABLE drift (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, resource TEXT NOT NULL, kind TEXT NOT NULL,
    since REAL NOT NULL, recorded REAL NOT NULL, seen TEXT NOT NULL, found TEXT NOT NULL,
    healed REAL, outcome TEXT NOT NULL DEFAULT '');
CREATE UNIQUE INDEX one_open ON drift (resource) WHERE healed IS NULL;
INSERT INTO drift VALUES
    (7, 'chain', 'chain/1', 1.0, 1.5, 'event: iptables (pid 4711)', '["add it"]', 2.0, 'healed'),
    (8, 'chain', 'chain/1', 3.0, 3.5, 'event: iptables (pid 4712)', '["add a rule"]', NULL, 'why'),
    (9, 'file', 'file/1', 4.0, 4.5, 'look', '["write it"]', NULL, '');
"""
CHAIN = Drift(
    seq=8,
    resource="chain",
    kind="chain/1",
    since=3.0,
    recorded=3.5,
    seen="event",
    by="iptables (pid 4712)",
    found=("add a rule",),
    hindrance="why",
)
FULL = replace(
    drift_of("a", 1.0, ("write it",), 2.0),
    by="vi (pid 1)",
    detail="-a\n+b\n",
    nature=Nature.INTENDED,
    hindrance="held",
    attempts=3,
    incident=True,
)


def former(path: Path) -> Path:
    with sqlite3.connect(path / "journal.db") as db:
        db.executescript(FORMER)
    db.close()
    return path / "journal.db"


def told(journal: Journal) -> list[DriftSeen]:
    return [one for one in journal.untold().items if isinstance(one, DriftSeen)]


def test_a_journal_of_the_former_form_is_taken_over(tmp_path: Path) -> None:
    journal = Journal(former(tmp_path))

    assert journal.open_drift()["chain"] == CHAIN
    newest, second, oldest = journal.drift()
    assert (newest.seq, newest.seen, newest.by, newest.hindrance) == (9, "look", "", "")
    assert second == CHAIN
    assert (oldest.seen, oldest.by, oldest.outcome) == ("event", "iptables (pid 4711)", "healed")
    assert oldest.nature is Nature.EXTERNAL
    assert journal.record(drift_of("other", 9.0, ("x",), 9.5)) == 10
    journal.close()


def test_it_is_taken_over_once_although_it_is_opened_twice(tmp_path: Path) -> None:
    path = former(tmp_path)
    first, second = Journal(path), Journal(path)
    first.record(replace(CHAIN, hindrance="", found=("add two rules",)))
    first.heal("chain", "healed", 5.0)

    assert Journal(path).drift() == second.drift() == first.drift()
    assert first.drift()[1].outcome == "healed"


def test_what_a_drift_began_as_stays_and_what_it_is_now_is_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    number = journal.record(FULL)
    assert journal.open_drift()["a"] == replace(FULL, seq=number)

    journal.record(
        replace(
            FULL,
            since=9.0,
            recorded=9.0,
            seen="look",
            by="",
            nature=Nature.EXTERNAL,
            found=("make it",),
            detail="",
            hindrance="",
            attempts=0,
            incident=False,
        )
    )
    expected = replace(
        FULL, seq=number, found=("make it",), detail="", hindrance="", attempts=0, incident=False
    )
    assert journal.open_drift()["a"] == expected


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({}, False),
        ({"attempts": 4}, False),
        ({"since": 5.0, "seen": "look"}, False),
        ({"found": ("make it",)}, True),
        ({"detail": "-a\n+c\n"}, True),
        ({"hindrance": "the disk is full"}, True),
        ({"incident": False}, True),
    ],
)
def test_a_drift_is_told_again_where_it_is_otherwise(
    tmp_path: Path, change: dict[str, object], again: bool
) -> None:
    journal = Journal(tmp_path / "journal.db", TableOutbox(lambda: None))
    journal.record(FULL)
    journal.record(replace(FULL, **change))

    assert len(told(journal)) == 1 + again
    assert told(journal)[-1].number == 1


def test_all_of_it_is_told(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db", TableOutbox(lambda: None))
    journal.record(FULL)

    (seen,) = told(journal)
    assert seen == DriftSeen(
        number=1,
        resource="a",
        kind="file/1",
        since_us=1_000_000,
        recorded_us=2_000_000,
        seen="event",
        found=("write it",),
        detail="-a\n+b\n",
        by="vi (pid 1)",
        nature=Nature.INTENDED,
        hindrance="held",
        attempts=3,
        incident=True,
    )


def test_diffs_of_what_is_long_over_are_dropped_and_their_lines_kept(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    kept = journal.record(replace(FULL, resource="kept"))
    for number in range(MAX_DETAILED + 50):
        journal.record(replace(FULL, found=(f"{number}",)))
        journal.heal("a", "healed", 2.0)

    rows = journal.drift(10_000)
    assert sum(bool(one.detail) for one in rows if one.seq != kept) == MAX_DETAILED
    assert all(one.found and one.detail for one in rows[:MAX_DETAILED])
    assert journal.open_drift()["kept"].detail == FULL.detail


def test_a_row_that_cannot_be_read_is_told_as_such(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.record(FULL)
    journal._db.execute("UPDATE drift SET found = '{'")

    with pytest.raises(JournalError, match="cannot read"):
        journal.open_drift()
    with pytest.raises(JournalError, match="cannot read"):
        journal.record(FULL)
    assert journal.accepted() is None


@given(st.text(max_size=40_000), st.integers(100, MAX_DETAIL))
def test_diffs_are_cut_at_a_line_and_say_so(text: str, most: int) -> None:
    cut = cut_diff(text, most)

    assert len(cut.encode()) <= most
    if len(text.encode("utf-8", "backslashreplace")) > most:
        assert cut.endswith("… and more\n")
        assert text.startswith(cut.removesuffix("… and more\n"))


@given(
    st.text(st.characters(), max_size=2000).map(lambda text: text * 30),
    st.lists(st.text(st.characters(), max_size=100), max_size=100),
)
def test_whatever_a_node_says_the_master_can_read_it(detail: str, found: list[str]) -> None:
    drift = replace(FULL, seq=1, detail=detail, found=tuple(found), hindrance=detail, by=detail)
    seen = drift_seen(drift)

    assert unpack(pack(seen), DriftSeen, 200 * 1024) == seen


def test_a_diff_is_what_a_plan_shows_and_secrets_are_withheld() -> None:
    host = FakeHost()
    host.files.put_directory("/etc")
    host.files.put_file("/etc/open", b"old\n", 0o644)
    host.files.put_file("/etc/closed", b"password\n", 0o600)
    for path, mode, shown in (("/etc/open", "0644", "-old\n"), ("/etc/closed", "0600", "")):
        spec = File(path=path, text="new\n", mode=mode)
        kind = kind_of(spec)
        changes = kind.diff(spec, kind.observe_for_diff(host, spec))
        said = diffs(changes)
        assert shown in said
        assert said.endswith("\n")
        assert "password" not in said


def test_a_person_sees_whose_doing_it_was_and_why_it_is_left(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    journal.record(FULL)
    (held,) = journal.drift()

    assert next(show_drift([held], 12.0)).split("  ")[1] == str(held.seq)
    shown = "\n".join(show_drift(journal.drift(), 12.0))
    for part in ("held", "intended", "incident", "vi (pid 1)", "seen by event", "write it"):
        assert part in shown
    assert "      +b" not in shown.splitlines()
    assert "      +b" in list(show_drift(journal.drift(), 12.0, diffs=True))
