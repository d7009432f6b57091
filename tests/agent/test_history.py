"""What drifted is read beside the keeper, and the reading leaves nothing open behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from saltern_agent.drift_record import Drift
from saltern_agent.history import History
from saltern_agent.journal import Journal, JournalError

QUESTIONS = 20


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Journal]:
    """Give the journal of who writes it, open all the while."""
    with closing(Journal(tmp_path / "journal.db")) as journal:
        yield journal


def drift(resource: str) -> Drift:
    gone = ("it is gone",)
    return Drift(resource=resource, kind="file", since=1.0, recorded=2.0, seen="event", found=gone)


def held(path: Path) -> list[str]:
    """Give what this process holds open of a journal: the file, its log and its index."""
    links = []
    for one in Path("/proc/self/fd").iterdir():
        if one.is_symlink():  # what lists the directory is gone by now
            links.append(os.readlink(one))
    return sorted(link for link in links if link.startswith(str(path)))


def test_a_question_leaves_no_descriptor_open(tmp_path: Path, keeper: Journal) -> None:
    path = tmp_path / "journal.db"
    with closing(History(path)) as history:
        history.begin()
        before = held(path)
        assert before
        for at in range(QUESTIONS):
            keeper.record(drift(f"file{at}"))
            assert history.newest(1)[0].resource == f"file{at}"
            assert held(path) == before


def test_who_reads_hinders_nobody_who_takes_the_log_in(tmp_path: Path, keeper: Journal) -> None:
    log = tmp_path / "journal.db-wal"
    with closing(History(tmp_path / "journal.db")) as history:
        sizes = []
        for at in range(200):  # four times what is written before the log is taken in
            keeper.record(drift(f"file{at}"))
            history.newest(10)
            sizes.append(log.stat().st_size)
        assert max(sizes[100:]) <= max(sizes[:100]), "the log grows: it is never begun anew"


def test_a_journal_that_cannot_be_opened_is_tried_again(tmp_path: Path) -> None:
    place = tmp_path / "state"
    place.write_text("no directory")
    with closing(History(place / "journal.db")) as history:
        for ask in (history.begin, lambda: history.newest(1)):
            with pytest.raises(JournalError, match="cannot open the journal"):
                ask()
        place.unlink()
        with closing(Journal(place / "journal.db")) as keeper:
            keeper.record(drift("file"))
            assert [one.resource for one in history.newest(5)] == ["file"]
