"""An older copy of the store, with a real master and real agents: nothing is rolled back (A11).

Agents apply one document, HOME is copied, they apply two more; then the copy takes HOME's place.
All the while what each node holds, on its disk and by its own word, is looked at again and again.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from saltern_master.api.service import ServiceError
from saltern_master.bench.crowd.body import FILES, cluster_file
from saltern_master.bench.crowd.crowd import PROGRAMS, Crowd
from saltern_master.lab.fleet import wait_for

pytestmark = [pytest.mark.system, pytest.mark.timeout(240)]  # of a busy machine
SECONDS = 90.0
WORDS = ("yesterday", "today", "tonight", "again")
PutBack = Callable[[], object]
PORTS = re.compile(r"ports (\d+) \(link\) and (\d+) \(door\)")


@dataclass(slots=True)
class Held:
    """What nodes hold, looked at until the end: each word is an index that may not fall."""

    crowd: Crowd
    rollbacks: list[str] = field(default_factory=list)
    looks: int = 0
    best: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Compare what is on each node's disk with what was there."""
        for name in self.crowd.names:
            path = self.crowd.folder / name / "root" / FILES[0][1:]
            with suppress(FileNotFoundError):
                word = WORDS.index(path.read_text().split(": ")[1].strip())
                if word < self.best.get(name, 0):
                    self.rollbacks.append(f"{name} went back to {WORDS[word]}")
                self.best[name] = max(word, self.best.get(name, 0))
                self.looks += 1

    def word(self, name: str) -> str:
        """Give what a node holds at last."""
        return WORDS[self.best[name]]


@contextmanager
def looking(crowd: Crowd) -> Iterator[Held]:
    held, ending = Held(crowd), threading.Event()

    def look() -> None:
        while not ending.wait(0.02):
            held.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield held
    finally:
        ending.set()
        thread.join()


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    tmp_path.chmod(0o711)  # the front is nobody
    one = Crowd(tmp_path, 2)
    try:
        one.start_master()
        one.join()
        yield one
    finally:
        one.close()


def version(crowd: Crowd, name: str) -> int:
    """Ask the agent itself which document it holds."""
    own = crowd.folder / name
    places = [f"--{one}={own / one}" for one in ("config", "state", "run", "root")]
    argv = [str(PROGRAMS / "saltern-agent"), *places, "status", "--output", "json"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    return int(json.loads(done.stdout)["status"]["version"])


def stop(crowd: Crowd) -> tuple[str, str]:
    """Stop the master; give its ports, which its nodes know."""
    assert crowd.master is not None
    crowd.master.send_signal(signal.SIGTERM)
    crowd.master.wait(30)
    found = PORTS.findall((crowd.folder / "master.log").read_text())
    return str(found[-1][0]), str(found[-1][1])


def start(crowd: Crowd, ports: tuple[str, str]) -> None:
    argv = [str(PROGRAMS / "saltern"), "master", "run", "--listen", "127.0.0.1"]
    argv += ["--link-port", ports[0], "--door-port", ports[1]]
    environment = dict(os.environ) | {"SALTERN_HOME": str(crowd.home)}
    with (crowd.folder / "master.log").open("ab") as log:
        crowd.master = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
        )

    def connected() -> bool:
        with suppress(ServiceError):
            return crowd.connected() == crowd.size
        return False

    wait_for("all agents to be back", connected, SECONDS)


def by_command(crowd: Crowd) -> PutBack:
    """Back up while the master runs, as people do; give the way back."""
    file = crowd.folder / "yesterday.tar"
    crowd.saltern("backup", str(file))
    return lambda: crowd.saltern("restore", str(file))


def by_copy(crowd: Crowd) -> PutBack:
    """Copy the directory, as who has never read a page does; nobody writes at this moment."""
    copy = crowd.folder / "yesterday"
    shutil.copytree(crowd.home, copy, ignore=shutil.ignore_patterns("run"))

    def put_back() -> None:
        copy.rename(crowd.home)

    return put_back


@pytest.mark.parametrize("backup", [by_command, by_copy], ids=["restored", "copied"])
def test_an_older_store_rolls_nothing_back_and_says_who_is_ahead(
    crowd: Crowd, backup: Callable[[Crowd], PutBack]
) -> None:
    with looking(crowd) as held:
        crowd.apply(cluster_file(crowd.names, "yesterday"))
        put_back = backup(crowd)
        crowd.apply(cluster_file(crowd.names, "today"))
        crowd.apply(cluster_file(crowd.names, "tonight"))
        before = {name: version(crowd, name) for name in crowd.names}
        old = 1
        ports = stop(crowd)
        crowd.home.rename(crowd.folder / "lost")
        put_back()
        start(crowd, ports)

        def told() -> bool:
            ahead = {one.node for one in crowd.client.status().alarms if one.kind == "ahead"}
            return ahead == set(crowd.names)

        wait_for("the operator to be told who is ahead", told, SECONDS)
        shown = subprocess.run(
            [str(PROGRAMS / "saltern"), "status", "--home", str(crowd.home)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert [f"ALARM ahead {name}" in shown.stdout for name in crowd.names] == [True, True]
        assert shown.stdout.startswith("ALARM ")  # on top, and with nothing that a terminal eats
        assert ("ALARM restored" in shown.stdout) == (backup is by_command)
        assert {name: held.word(name) for name in crowd.names} == dict.fromkeys(
            crowd.names, "tonight"
        )
        assert {name: version(crowd, name) for name in crowd.names} == before

        crowd.apply(cluster_file(crowd.names, "again"))
        after = {name: version(crowd, name) for name in crowd.names}
        assert all(after[name] > max(before[name], old) for name in crowd.names)
        assert {name: held.word(name) for name in crowd.names} == dict.fromkeys(
            crowd.names, "again"
        )
        wait_for("the alarms to be over", lambda: not crowd.client.status().alarms, SECONDS)
    assert held.rollbacks == []
    assert held.looks > 100
