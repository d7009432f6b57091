"""The probe of what listening costs: runs in the node, beside the agent, and reads /proc.

`python3 -m saltern_master.bench.drift.cost_probe rest SECONDS | events COUNT | beside COUNT |
storm COUNT`: one line of JSON.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import and_
from pathlib import Path

from saltern_master.bench.drift.open_files import open_files
from saltern_master.bench.probe import ask, children_cpu, cpu, look, wait_for_rest

WATCHED = Path("/etc/kubernetes/site/contact")
JOURNAL = "/var/lib/saltern/journal.db"
REWRITE_SECONDS = 1.0  # kube-proxy's own shortest pause between two rewritings
CHAINS = 50  # of services, each with a few rules
EVENTS_AT_ONCE = 1000
PAUSE = 0.05
SETTLE = 3.0  # seconds
STORMS = 3  # what grows with each is no descriptor that is opened once
LOOKS, BETWEEN = 10, 0.1


def main() -> None:
    """Do one thing and tell what it came to."""
    what, number = sys.argv[1:]
    measures: dict[str, Callable[[int], object]] = {
        "rest": rest,
        "events": events,
        "beside": beside,
        "storm": storm,
    }
    sys.stdout.write(json.dumps(measures[what](int(number))) + "\n")


def agent() -> int:
    """Give the running agent's process id."""
    (status,) = (one for one in ask(ask="status") if one["type"] == "status")
    return int(status["pid"])


def sizes(pid: int) -> dict[str, object]:
    """Give what may not grow: the least of some looks, since an answer in hand takes some too.

    Memory is what is the process's own alone: its share of what others map changes with them.
    """
    seen, kinds = [], []
    for _ in range(LOOKS):
        kinds.append(open_files(pid))
        seen.append({"own": own(pid), "descriptors": kinds[-1].total(), "watches": watches(pid)})
        time.sleep(BETWEEN)
    least = {name: min(one[name] for one in seen) for name in seen[0]}
    return {**least, "kinds": reduce(and_, kinds)}


def watches(pid: int) -> int:
    """Count a process's inotify watches."""
    found = 0
    for path in Path(f"/proc/{pid}/fdinfo").iterdir():
        with suppress(FileNotFoundError):  # closed since
            found += path.read_text().count("inotify wd:")
    return found


def own(pid: int) -> int:
    """Give the bytes of a process that are of no file (smaps_rollup)."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    (line,) = (line for line in text.splitlines() if line.startswith("Anonymous:"))
    return int(line.split()[1]) * 1024


def rest(seconds: int) -> object:
    """Let the agent be, while somebody rewrites his own chains each second as kube-proxy does."""
    pid = agent()
    before, began = cpu(pid) + children_cpu(pid), time.monotonic()
    first, rewritten = sizes(pid), 0
    try:
        while (left := began + seconds - time.monotonic()) > 0:
            rewrite(rewritten)
            rewritten += 1
            time.sleep(min(REWRITE_SECONDS, max(left, 0)))
    finally:
        rewrite(None)
    took = time.monotonic() - began
    used = cpu(pid) + children_cpu(pid) - before
    return {
        "seconds": took,
        "percent": 100 * used / took,
        "rewritten": rewritten,
        "before": first,
        "after": sizes(pid),
    }


def rewrite(turn: int | None) -> None:
    """Write the chains of fifty services in one transaction, others each turn; None: none."""
    names = [f"KUBE-SVC-BENCH{number}" for number in range(CHAINS)]
    lines = ["*nat", *(f":{name} - [0:0]" for name in names)]
    for at, name in enumerate(names if turn is not None else ()):
        lines.append(f"-A {name} -d 10.0.{(turn or 0) % 250}.{at}/32 -j RETURN")
    lines += [f"-X {name}" for name in names] if turn is None else []
    text = "\n".join((*lines, "COMMIT", ""))
    argv = ("/usr/sbin/iptables-restore", "-w", "--noflush")
    subprocess.run(argv, input=text.encode(), check=True, capture_output=True, timeout=60)


def events(count: int) -> object:
    """Make events of a watched file that is as declared all the while."""
    return _grown(count, lambda at: os.utime(WATCHED, (at, at % 2)))


def beside(count: int) -> object:
    """Write and remove files beside watched ones."""

    def write(at: int) -> None:
        path = WATCHED.with_name(f"beside{at}")
        path.write_bytes(b"x")
        path.unlink()

    return _grown(count, write)


def _grown(count: int, act: Callable[[int], None]) -> object:
    pid = agent()
    look()
    first, began, used = sizes(pid), time.monotonic(), cpu(pid)
    for at in range(count):
        act(at)
        if at % EVENTS_AT_ONCE == EVENTS_AT_ONCE - 1:
            time.sleep(PAUSE)  # so that the queue does not just overflow once and for all
    look()
    wait_for_rest()
    return {
        "count": count,
        "seconds": time.monotonic() - began,
        "cpu": cpu(pid) - used,
        "before": first,
        "after": sizes(pid),
    }


def storm(count: int) -> object:
    """Change a declared file so often in one second, some times, and see what is left of it."""
    pid, declared = agent(), WATCHED.read_bytes()
    first = sizes(pid)
    found = [one_storm(count, declared) for _ in range(STORMS)]
    return {
        "count": count,
        "storms": len(found),
        "seconds": max(one.seconds for one in found),
        "outbox": max(one.outbox for one in found),
        "told": all(one.declared != one.open for one in found),
        "before": first,
        "after": sizes(pid),
    }


@dataclass(frozen=True)
class Storm:
    """What became of one."""

    seconds: float
    outbox: int  # items at most
    declared: bool  # whether the file is as declared at its end
    open: bool  # whether its drift is


def one_storm(count: int, declared: bytes) -> Storm:
    """Change it so often within a second, and see what is told of it once it is over."""
    began, longest = time.monotonic(), 0
    for at in range(count):
        _write(b"%d\n" % at)
        ahead = began + (at + 1) / count - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
        if at % EVENTS_AT_ONCE == 0:
            longest = max(longest, waiting())
    took = time.monotonic() - began
    time.sleep(SETTLE)
    longest = max(longest, waiting())
    told = next(one for one in ask(ask="drift", most=20) if one["type"] == "drift-list")["drift"]
    mine = [one for one in told if one["resource"] == "site/contact"]
    is_open = bool(mine) and not mine[0]["healed"]
    return Storm(took, longest, WATCHED.read_bytes() == declared, is_open)


def _write(content: bytes) -> None:
    handle = os.open(WATCHED, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)


def waiting() -> int:
    """Count what waits in the agent's outbox."""
    journal = sqlite3.connect(f"file:{JOURNAL}?mode=ro", uri=True, timeout=5)
    try:
        return int(journal.execute("SELECT count(*) FROM outbox").fetchone()[0])
    finally:
        journal.close()


if __name__ == "__main__":
    main()
