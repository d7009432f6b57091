"""The probe of the drift's bench: runs in the node, breaks one thing, says when, and no more.

`python3 -m saltern_master.bench.drift.probe act NAME | undo NAME | repairs SINCE`: one line of
JSON. Times are wall clock seconds of the machine that the master runs on as well.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time

from saltern_master.bench.damages import BRIDGE
from saltern_master.bench.drift.damages import damages
from saltern_master.bench.probe import address_of

POD_ROUTES = "84"  # the protocol number of routes that kind pod-routes keeps
UNIT = "saltern-agent.service"
HEALED = re.compile(r"(\S+) healed, [0-9.]+ ms after it was seen(?: \(([0-9.]+) ms)?")
wall = time.time  # noqa: TID251  # what the agent and the master write down is wall clock time


def main() -> None:
    """Do one thing."""
    what, argument = sys.argv[1:]
    if what == "repairs":
        found: object = repairs(float(argument))
    else:
        known = damages(pods(), address_of(BRIDGE))
        (damage,) = (one for one in known if one.name == argument)
        act = damage.act if what == "act" else damage.undo
        if act is None:
            raise SystemExit(f"cannot undo: {argument} is mended by the agent")
        begin = wall()
        act()
        found = {"begin": begin, "end": wall()}
    sys.stdout.write(json.dumps(found) + "\n")


def pods() -> str:
    """Give the destination of the route to another node's pods."""
    shown = subprocess.run(
        ["/usr/sbin/ip", "-json", "route", "show", "proto", POD_ROUTES],
        capture_output=True,
        check=True,
        timeout=10,
    )
    return str(json.loads(shown.stdout)[0]["dst"])


def repairs(since: float) -> list[tuple[float, str, float]]:
    """Read the agent's log: when what was healed, and the milliseconds of the repair itself."""
    done = subprocess.run(
        ["/usr/bin/journalctl", f"--unit={UNIT}", f"--since=@{int(since)}", "--output=json"],
        capture_output=True,
        check=True,
        timeout=60,
    )
    found = []
    for line in done.stdout.splitlines():
        entry = json.loads(line)
        told = HEALED.match(str(entry["MESSAGE"]))
        if told:
            at = int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            found.append((at, told[1], float(told[2] or 0)))
    return found


if __name__ == "__main__":
    main()
