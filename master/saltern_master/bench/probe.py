"""The probe: runs in a node and looks at the agent from outside, as any other program could.

It uses nothing of the agent: it asks at the control socket, reads /proc and journald, and
prints one JSON object. `python3 -m saltern_master.bench.probe looks WARM_UP N | damage NAME RUNS |
starts N`, where only this package's files that it needs have been carried to.

Times are wall clock seconds where they are compared with the agent's own, else monotonic.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from saltern_master.bench.damages import BRIDGE, damages

SOCKET = "/run/saltern/agent.sock"
LAUNCHER = "/usr/bin/saltern-agent"
TREE = "/usr/lib/saltern-agent"
UNIT = "saltern-agent.service"
HASHES = "/run/saltern/hashes"  # what the agent keeps until the next boot
DEADLINE = 60.0  # seconds for one damage to be healed, and for one start
wall = time.time  # noqa: TID251  # what the agent writes down is wall clock time
PACE = 0.05  # seconds between two questions
TOLD = re.compile(r"(\S+) drifted \(seen by [^)]*(?:\([^)]*\))?, recorded after ([0-9.]+) ms\)")


def main() -> None:
    """Measure one thing and print it."""
    what, *words = sys.argv[1:]
    measures: dict[str, Callable[..., object]] = {
        "looks": looks,
        "damage": damage,
        "starts": starts,
    }
    sys.stdout.write(json.dumps(measures[what](*words)) + "\n")


def ask(**question: object) -> Iterator[dict[str, Any]]:
    """Ask the running agent; give the lines of its answer."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(SOCKET)
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as lines:
            for line in lines:
                yield json.loads(line)


# --- looks


def looks(warm_up: str, count: str) -> object:
    """Have the agent look at everything `count` times, after `warm_up`; give what that cost."""
    (status,) = (one for one in ask(ask="status") if one["type"] == "status")
    pid = int(status["pid"])
    for _ in range(int(warm_up)):
        look()
    before, children = cpu(pid), children_cpu(pid)
    first = {"pss": pss(pid), "descriptors": descriptors(pid)}
    began, walls = time.monotonic(), []
    for _ in range(int(count)):
        walls.append(look())
    took = time.monotonic() - began
    return {
        "count": len(walls),
        "resources": status["status"]["resources"],
        "cpu_milliseconds": (cpu(pid) - before) * 1000 / len(walls),
        "children_milliseconds": (children_cpu(pid) - children) * 1000 / len(walls),
        "wall_milliseconds": sorted(walls),
        "seconds": took,
        "before": first,
        "after": {"pss": pss(pid), "descriptors": descriptors(pid)},
    }


def look() -> float:
    """Have it look once; give the milliseconds that it says it took."""
    (end,) = ask(ask="look")
    if not end["ok"]:
        raise SystemExit(f"cannot measure: the node is not as declared: {end}")
    return float(end["milliseconds"])


def cpu(pid: int) -> float:
    """Give the CPU seconds of all of a process's threads, to the nanosecond."""
    stats = (path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))
    return sum(int(one[0]) for one in stats) / 1e9


def children_cpu(pid: int) -> float:
    """Give the CPU seconds of the programs that a process has run, to a clock tick."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def pss(pid: int) -> int:
    """Give a process's proportional set size in bytes."""
    found = re.search(r"^Pss:\s+([0-9]+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
    return int(found[1]) * 1024 if found else 0


def descriptors(pid: int) -> int:
    """Count a process's open descriptors."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


# --- damages


def damage(name: str, runs: str) -> object:
    """Break one thing so often, each time after the last was healed; give the times of each."""
    (one,) = (one for one in damages(address_of(BRIDGE)) if one.name == name)
    began = wall()
    found = []
    for _ in range(int(runs)):
        found.append(broken(one.resource, one.act))
        time.sleep(one.rest)
    told = durable(one.resource, began)
    for record in found:
        # the agent's log says of each new record how long after `since` it was on the disk
        record["durable"] = record["since"] + next(
            after for at, after in told if at >= record["recorded"]
        )
    return {"name": name, "by": one.by, "event": one.event, "runs": found}


def broken(resource: str, act: Callable[[], None]) -> dict[str, float]:
    """Break it once and wait until it is healed; wall clock seconds of what came when."""
    begin = wall()
    act()
    end = wall()
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        time.sleep(PACE)
        (listed,) = (one for one in ask(ask="drift", most=50) if one["type"] == "drift-list")
        for record in reversed(listed["drift"]):
            if record["resource"] == resource and record["recorded"] >= begin and record["healed"]:
                times = {key: record[key] for key in ("since", "recorded", "healed")}
                wait_for_rest()
                return {"begin": begin, "end": end, **times}
    raise SystemExit(f"cannot measure: {resource} was not healed in {DEADLINE:.0f} s")


def wait_for_rest() -> None:
    """Wait until the agent has no open drift, so that no damage meets the one before."""
    until = time.monotonic() + DEADLINE
    while time.monotonic() < until:
        (status,) = (one for one in ask(ask="status") if one["type"] == "status")
        if status["status"]["state"] == "converged" and not status["working"]:
            return
        time.sleep(PACE)
    raise SystemExit(f"cannot measure: the node did not come to rest in {DEADLINE:.0f} s")


def durable(resource: str, since: float) -> list[tuple[float, float]]:
    """Read the agent's log: when each record was told of, and its seconds to the disk."""
    done = subprocess.run(
        ["/usr/bin/journalctl", f"--unit={UNIT}", f"--since=@{int(since)}", "--output=json"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    found = []
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        told = TOLD.match(str(entry["MESSAGE"]))
        if told and told[1] == resource:
            found.append((int(entry["__REALTIME_TIMESTAMP"]) / 1e6, float(told[2]) / 1000))
    return found


def address_of(link: str) -> str:
    """Give a link's first IPv4 address with its prefix."""
    shown = subprocess.run(
        ["/usr/sbin/ip", "-json", "-4", "address", "show", "dev", link],
        capture_output=True,
        check=True,
        timeout=10,
    )
    one = json.loads(shown.stdout)[0]["addr_info"][0]
    return f"{one['local']}/{one['prefixlen']}"


# --- starts


def starts(count: str) -> object:
    """Start the agent so often, until its first look has ended; it is left as it was, running."""
    subprocess.run(["/usr/bin/systemctl", "stop", UNIT], check=True, timeout=60)
    try:
        found = [start() for _ in range(int(count) + 1)][1:]  # the first warms the page cache
        boots = [start_as_after_boot() for _ in range(int(count))]
    finally:
        subprocess.run(["/usr/bin/systemctl", "start", UNIT], check=True, timeout=60)
    return {
        "seconds": found,
        "boot_seconds": boots,
        "python_seconds": [python("pass") for _ in range(int(count))],
        "import_seconds": [python("import saltern_agent.__main__") for _ in range(int(count))],
    }


def start() -> float:
    """Give the seconds from exec to the end of the first look at everything."""
    begin = wall()
    with subprocess.Popen([LAUNCHER, "run"], stderr=subprocess.DEVNULL) as agent:
        try:
            return first_look(begin) - begin
        finally:
            agent.send_signal(signal.SIGTERM)
            agent.wait(DEADLINE)


def start_as_after_boot() -> float:
    """The same for an agent that finds nothing kept, as the first one after a boot."""
    Path(HASHES).unlink(missing_ok=True)
    return start()


def first_look(begin: float) -> float:
    """Wait for the first look; give when the agent says that it ended."""
    while wall() < begin + DEADLINE:
        time.sleep(PACE)
        try:
            answers = list(ask(ask="status"))
        except (FileNotFoundError, ConnectionError):
            continue
        if answers[0]["type"] == "status" and answers[0]["status"]["looks"]:
            return float(answers[0]["status"]["looked"])
    raise SystemExit(f"cannot measure: the agent has not looked in {DEADLINE:.0f} s")


def python(code: str) -> float:
    """Give the seconds that Python takes for some code."""
    begin = time.monotonic()
    environment = {"PYTHONPATH": TREE, "PATH": "/usr/bin:/bin"}
    subprocess.run(["/usr/bin/python3", "-c", code], check=True, env=environment, timeout=60)
    return time.monotonic() - begin


if __name__ == "__main__":
    main()
