"""A master with many members, each a key and a name: what faults of many nodes stand on.

* Members are put into the store as a token would have put them, in one commit, before the master
  begins: a thousand tokens would take longer than the fault.
* They are simulated by a few processes (fleet_crowd.py), each over a CURVE connection of its own,
  against `saltern master run`: its core, its front, its store.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from saltern_master.api.client import Client
from saltern_master.bench.processes import front_of
from saltern_master.core.signer import Subject, read_signer
from saltern_master.records.codec import put
from saltern_master.records.nodes import Node, Owner, node_key, owner_key
from saltern_master.signing.home import Home, link_public
from saltern_master.signing.recorded import open_store

from tests.master.core_stand import FACTS, KIND_NAMES
from tests.master.front_stand import Keys, new_keys
from tests.master.homes import made_home

SECONDS = 60.0
PORTS = re.compile(r"^ready: listens on \S+ ports (\d+) \(link\)", re.MULTILINE)
RUN = (str(Path(sys.executable).parent / "saltern"), "master", "run", "--listen", "127.0.0.1")
FIRST = ("/usr/bin/nice", "-n", "-10", "--")
"""Simulators share the master's processor, and stand for machines that do not: it goes first, and
so do those that are measured."""
SAMPLE = 0.1  # seconds between two looks at a process's memory


@dataclass(frozen=True, slots=True)
class Member:
    """A node that has joined."""

    name: str
    keys: Keys
    incarnation: str
    identity: bytes = b""  # what it has pinned


@dataclass(frozen=True, slots=True)
class Fleet:
    """A running master and its members."""

    client: Client
    core: int
    link_port: int
    server: bytes
    members: tuple[Member, ...]
    log: Path

    def processes(self) -> tuple[int, int]:
        """Give core's and front's process ids."""
        return self.core, front_of(self.core)

    def crowd(self, members: Sequence[Member], first: bool, **asked: Any) -> subprocess.Popen[str]:  # noqa: ANN401
        """Have a process simulate these; it tells JSON when they are in, and at the end.

        `first`: they are measured, and go before those that are not.
        """
        order = {
            "port": self.link_port,
            "server": self.server.hex(),
            "members": [
                (one.keys.public.hex(), one.keys.secret.hex(), one.incarnation) for one in members
            ],
            **asked,
        }
        process = subprocess.Popen(
            [*(FIRST if first else ()), sys.executable, "-m", "tests.faults.fleet_crowd"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if process.stdin is None:
            raise AssertionError("it has pipes")
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        return process


def told(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Read the next line that a crowd tells."""
    if process.stdout is None:
        raise AssertionError("it has pipes")
    line = process.stdout.readline()
    if not line:
        raise AssertionError(f"a crowd ended with {process.wait(5)}")
    return dict(json.loads(line))


def go(process: subprocess.Popen[str], seconds: float) -> None:
    """Let a crowd that is in begin, for so long."""
    if process.stdin is None:
        raise AssertionError("it has pipes")
    process.stdin.write(f"{seconds}\n")
    process.stdin.flush()


@contextmanager
def fleet(
    directory: Path, size: int, prepare: Callable[[Home], None] = lambda _: None
) -> Iterator[Fleet]:
    """Give a master with so many members; it ends with the block."""
    directory.chmod(0o711)
    home = made_home(directory)
    prepare(home)
    members = _members(home, size)
    log = directory / "master.log"
    with log.open("ab") as said:
        process = subprocess.Popen(
            [*FIRST, *RUN, "--link-port", "0", "--door-port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=dict(os.environ) | {"SALTERN_HOME": str(home.path)},
        )
    try:
        try:
            wait_for("the master listens", lambda: PORTS.search(log.read_text()) is not None)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said: {log.read_text()[-500:]}") from error
        found = PORTS.search(log.read_text())
        port = int(found[1]) if found else 0
        client = Client(home.path / "run" / "api.sock")
        yield Fleet(client, process.pid, port, link_public(home.link_key()), members, log)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(SECONDS)


def wait_for(what: str, condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait for a condition; AssertionError names it."""
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.02)


class Memory:
    """The resident memory of some processes together, looked at until the block ends. MiB."""

    def __init__(self, pids: Sequence[int]) -> None:
        self._pids, self._over = pids, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.most = self._now()

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @property
    def growth(self) -> float:
        """Give how much more it was than at the beginning."""
        return self.most - self.before

    def _watch(self) -> None:
        while not self._over.wait(SAMPLE):
            self.most = max(self.most, self._now())

    def _now(self) -> float:
        return sum(map(_pages, self._pids)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def _pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended: the fault tells that


def percentile(values: Sequence[float], part: float) -> float:
    """Give what so great a part of the values does not exceed; infinite where there are none."""
    if not values:
        return float("inf")
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def _members(home: Home, size: int) -> tuple[Member, ...]:
    drawn = [Member(f"n{at:04}", new_keys(), secrets.token_hex(16)) for at in range(size)]
    with open_store(home) as store:
        store.commit(*(write for one in drawn for write in _records(one)))
    signer = read_signer(home)
    return tuple(replace(one, identity=signer.identity(_subject(one))) for one in drawn)


def _subject(member: Member) -> Subject:
    return Subject(member.name, "worker", member.incarnation)


def _records(member: Member) -> Iterator[Any]:
    key = member.keys.public.hex()
    yield put(owner_key(key), Owner(node=member.name))
    yield put(node_key(member.name), _node(member))


def _node(member: Member) -> Node:
    return Node(
        name=member.name,
        node_class="worker",
        state="joined",
        incarnation=member.incarnation,
        key=member.keys.public.hex(),
        sealing="05" * 32,
        facts=json.loads(FACTS),
        kinds=KIND_NAMES,
        release="1",
    )
