"""What may never reach the disk ends the agent; strace's EIO is tried by fault 8."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from saltern_agent.converge import converge_one
from saltern_agent.durable import NotDurableError, settle, sync, sync_new
from saltern_agent.journal import LOST, Journal, JournalError, refuse_lost
from saltern_agent.ledger import Ledger
from saltern_agent.steps import Step
from saltern_states.body import Resource
from saltern_states.file import File
from saltern_states.ports import Entry
from saltern_states.testing import FakeHost
from saltern_states.testing.files import FakeFiles

from tests.agent.drifts import drift as drift_of


class Failing(FakeFiles):
    """A disk whose fsync fails when a file is written."""

    def write(
        self, path: Path, was: Entry | None, content: bytes, mode: int, owner: str, group: str
    ) -> None:
        raise NotDurableError(f"cannot have {path} on its disk")


class Owns:
    def own(self, resource: Resource) -> None:
        """Nothing."""

    def disown(self, resource_id: str) -> None:
        """Nothing."""


def test_no_fault_of_a_kind_hides_that_something_may_be_lost() -> None:
    host = FakeHost()
    host.files = Failing(host.blobs)
    host.files.put_directory("/etc/docker")
    step = Step("hold", Resource(id="file", spec=File(path="/etc/docker/x", text="x")))

    with pytest.raises(NotDurableError, match="/etc/docker/x"):
        converge_one(host, step, Owns())


@pytest.mark.parametrize("have", [sync, sync_new, settle])
def test_what_knows_no_fsync_has_nothing_to_wait_for(have: object) -> None:
    reader, writer = os.pipe()
    try:
        have(reader, "a pipe")  # type: ignore[operator]
    finally:
        os.close(reader)
        os.close(writer)


@pytest.mark.parametrize("code", LOST)
def test_a_failed_fsync_of_sqlite_is_no_journal_error(code: int, tmp_path: Path) -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    with pytest.raises(NotDurableError, match="dmesg"):
        refuse_lost(error, tmp_path / "journal.db")


@pytest.mark.parametrize("code", [sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE])
def test_what_was_not_written_at_all_is_tried_again(code: int, tmp_path: Path) -> None:
    error = sqlite3.OperationalError("it is full")
    error.sqlite_errorcode = code
    refuse_lost(error, tmp_path / "journal.db")


def test_a_journal_whose_file_is_gone_is_told_before_it_is_needed(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = Journal(path)
    ledger = Ledger(journal)
    assert ledger.probe() == ""

    path.unlink()
    with pytest.raises(JournalError, match="No such file"):
        journal.probe()
    assert "cannot write the journal" in ledger.probe()


def test_the_log_beside_a_journal_has_a_bound(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.db")
    sizes: Sequence[int] = [
        _size_after(journal, tmp_path / "journal.db-wal", number) for number in range(400)
    ]

    assert max(sizes) < 4 << 20
    assert max(sizes[200:]) <= max(sizes[:200])


def _size_after(journal: Journal, log: Path, number: int) -> int:
    journal.record(drift_of("file", 1.0, (f"{number}" * 100,), 1.0))
    return log.stat().st_size
