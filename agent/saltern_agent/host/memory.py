"""What a process costs the node in memory."""

from __future__ import annotations

from pathlib import Path

KIB = 1024


def proportional_set_size(process_id: int) -> int:
    """Give a process's PSS in bytes: its own pages, and its share of those that it shares.

    OSError where it is gone or not ours to look at. Source: proc(5), /proc/PID/smaps_rollup.
    """
    text = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) * KIB
