"""Kill the agent at random while it applies, and look at what is left: run in the node.

    node_killer.py DIRECTORY SEED

DIRECTORY holds statements by number, which are applied in turn, and plan.json: for each parity
of the number what the node must have then. It prints one JSON line of figures. Standard library
only; the control socket is spoken to directly.
"""

from __future__ import annotations

import base64
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SOCKET = "/run/saltern/agent.sock"
SWEPT = ("/etc", "/usr/local", "/var/lib/saltern", "/run/saltern")
KEPT = ".saltern-manifest"  # belongs to an unpacked artifact
PATIENCE = 30.0  # seconds


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    wanted = json.loads((folder / "plan.json").read_text())
    chance = random.Random(seed)
    statements = sorted(folder.glob("*.statement"))
    agent, version = start(), 0
    spread = timed(statements[0], statements[1])
    kills, cut_off = 0, 0
    began = time.monotonic()
    for number, path in enumerate(statements[2:]):
        send(path.read_bytes())
        time.sleep(chance.uniform(0, spread))  # the moment of the kill is what is tried
        agent.send_signal(signal.SIGKILL)
        agent.wait()
        whole(wanted["files"])
        kills += 1
        agent = start()
        status = converged()
        assert status["version"] >= version, (status["version"], version)
        version = status["version"]
        took = status["changes"] > 0
        cut_off += took
        demand(wanted["states"], path, number, status)
    agent.terminate()
    agent.wait()
    told = {"kills": kills, "cut off": cut_off, "spread": spread}
    print(json.dumps(told | {"seconds": time.monotonic() - began}))


def start() -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    environment.pop("NOTIFY_SOCKET", None)
    return subprocess.Popen(
        ["/usr/bin/saltern-agent", "run"], env=environment, stderr=subprocess.DEVNULL
    )


def talk(question: dict[str, Any]) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(PATIENCE)
    connection.connect(SOCKET)
    connection.sendall(json.dumps(question).encode() + b"\n")
    return connection


def send(statement: bytes) -> socket.socket:
    return talk({"ask": "apply", "statement": base64.b64encode(statement).decode()})


def timed(*paths: Path) -> float:
    """Apply in peace; gives the seconds that one takes."""
    converged()
    for path in paths:
        began = time.monotonic()
        with send(path.read_bytes()) as connection, connection.makefile() as lines:
            last = [json.loads(line) for line in lines][-1]
        assert last["ok"], last
    return time.monotonic() - began


def converged() -> dict[str, Any]:
    """Wait until the agent holds the node."""

    def settled() -> dict[str, Any] | None:
        try:
            with talk({"ask": "status"}) as connection, connection.makefile() as lines:
                told = json.loads(next(lines))
        except (OSError, StopIteration):
            return None
        if told["type"] != "status" or told["working"]:
            return None
        found: dict[str, Any] = told["status"]
        return found if found["state"] == "converged" else None

    return waited(settled)


def waited(condition: Callable[[], dict[str, Any] | None]) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, "the agent did not converge"
        select.select([], [], [], 0.01)
    return found


def whole(files: dict[str, list[str | None]]) -> None:
    """Demand that no file is anything but one of its whole versions."""
    for name, versions in files.items():
        path = Path(name)
        found = path.read_text() if path.exists() else None
        assert found in versions, f"{name} is half written: {found!r}"


def demand(
    states: dict[str, dict[str, str]], path: Path, number: int, status: dict[str, Any]
) -> None:
    """Demand what the accepted version says, and that nothing lies about."""
    state = states[str(status["version"])]
    for command, said in state.items():
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True)
        assert done.stdout.strip() == said, (path, number, command, done.stdout, said)
    left = [
        str(Path(folder, name))
        for root in SWEPT
        for folder, _, names in os.walk(root)
        for name in names
        if name.startswith(".saltern-") and name != KEPT
    ]
    assert left == [], left


if __name__ == "__main__":
    main()
