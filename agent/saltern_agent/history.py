"""The drift of this node, read from the journal's file for whoever asks, beside the keeper.

* It is opened once the keeper has its own open, and stays open. SQLite keeps the descriptor of a
  journal that is closed while another one of the process is open: to close it would take that one's
  locks away (https://sqlite.org/howtocorrupt.html, 2.2). So what is opened for a question stays.
* What was read for an answer is kept no longer than that.
* A journal that cannot be opened is tried again by each question.
"""

from __future__ import annotations

from pathlib import Path

from saltern_agent.drift_record import Drift
from saltern_agent.journal import Journal


class History:
    """Reads what drifted. One thread uses one History."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal: Journal | None = None

    def begin(self) -> None:
        """Open it ahead of any question. JournalError, NotDurableError."""
        self._opened()

    def newest(self, most: int) -> tuple[Drift, ...]:
        """Give the newest drift, newest first; at most so many. JournalError, NotDurableError."""
        journal = self._opened()
        try:
            return journal.drift(most)
        finally:
            journal.forget_pages()

    def close(self) -> None:
        """Close the journal, if it could be opened."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _opened(self) -> Journal:
        if self._journal is None:
            self._journal = Journal(self._path)
        return self._journal
