"""The journal under a running agent, while others of its process and other processes read it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from saltern_agent.journal import Journal

COMMAND = """
import sys
from pathlib import Path
from saltern_agent.journal import Journal
journal = Journal(Path(sys.argv[1]))
print(journal.accepted_at())
journal.close()
"""


def read_elsewhere(path: Path) -> str:
    """Have another process open the journal, read it and close it, as saltern-agent doctor does."""
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, str(path)],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    return done.stdout.strip()


def test_who_reads_takes_the_log_from_nobody(tmp_path: Path) -> None:
    path, log = tmp_path / "journal.db", tmp_path / "journal.db-wal"
    agent = Journal(path)
    agent.accept(b"first", 1.0)
    Journal(path).close()  # as where the agent answers what drifted
    inode = log.stat().st_ino

    assert read_elsewhere(path) == "1.0"
    assert log.stat().st_ino == inode, "the agent writes to a log that is there no more"
    agent.accept(b"second", 2.0)
    assert read_elsewhere(path) == "2.0"
    agent.close()
    assert read_elsewhere(path) == "2.0"
