"""A node's agent becomes other releases by itself: up, back from one that is ill, down, and killed.

On a booted Debian with its own systemd and dpkg; master and agent are the built packages.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from saltern_master.lab import Lab

from tests.packages.conftest import TARGETS, booted
from tests.packages.life import AGENT, CLUSTER, HELD, HOME, MASTER, WORD, join, make_cluster
from tests.packages.machine import INCOMING, Administered, package
from tests.packages.releases import release

pytestmark = [pytest.mark.packages, pytest.mark.timeout(900, func_only=False)]
UPGRADER = "saltern-agent-upgrade.service"
STATE = "/var/lib/saltern/upgrade"
VICTIMS = (UPGRADER, "power", "dpkg", AGENT)
NEVER = "7.3.0"  # that policy does not name
FAILED = 1  # exit status of saltern apply
KILLS = int(os.environ.get("SALTERN_KILLS", "4"))


@dataclass(frozen=True)
class Upgraded:
    """A node, and the releases that its master has: by their versions."""

    node: Administered
    files: dict[str, Path]

    def apply(self, version: str, attempt: int = 1) -> tuple[int, str]:
        """Ask for a release; give the exit status and what was printed."""
        text = CLUSTER.format(address=self.node.machine.node.address, held=HELD, word=WORD)
        text += f"agent: {{version: {version}, attempt: {attempt}}}\n"
        self.node.must("tee", f"{INCOMING}/cluster.yaml", given=text)
        done = self.node.machine.exec(
            ["saltern", "apply", f"{INCOMING}/cluster.yaml", "--output", "json"], timeout=300
        )
        return done.returncode, done.stdout + done.stderr

    def installed(self) -> str:
        """Give the version that dpkg calls installed, without Debian's revision."""
        form = "--showformat=${db:Status-Status} ${Version}"
        status, _, version = self.node.must("dpkg-query", form, "-W", "saltern-agent").partition(
            " "
        )
        assert status == "installed"
        return version.partition("-")[0]

    def told(self) -> dict[str, Any]:
        """Give what the master says of the node."""
        done = self.node.machine.exec(["saltern", "node", "show", "w1", "--output", "json"])
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def settled(self) -> None:
        """Wait until no upgrade is under way, and one agent runs and is reached."""
        order = f"{STATE}/order.json"

        def over() -> bool | None:
            there = self.node.machine.exec(["test", "-e", order]).returncode == 0
            return None if there else True

        self.node.waited("the upgrade to end", over, seconds=240)
        self.node.waited("the agent to be reached", self._reached, seconds=120)

    def _reached(self) -> bool | None:
        found = self.node.status("saltern-agent")
        return True if isinstance(found, dict) and found["link"]["state"] == "up" else None


@pytest.fixture(scope="module", params=TARGETS)
def upgraded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Upgraded]:
    """A node that holds something, and a master that has five releases of its agent."""
    target, folder = TARGETS[request.param], tmp_path_factory.mktemp("releases")
    built = package("agent", target)
    first = built.name.split("_")[1].partition("-")[0]
    files = {first: built}
    for version, fault in (("7.0.0", ""), ("7.1.0", "deaf"), ("7.2.0", "crashing"), (NEVER, "")):
        files[version] = release(built, version, folder, fault)
    with booted(request.param) as node:
        node.install(package("master", target), built)
        make_cluster(node)
        node.must("systemctl", "start", MASTER)
        join(node)
        paths = node.bring(*files.values())
        node.must("chmod", "-R", "a+rX", INCOMING)
        node.master("releases", "add", *paths)
        allow(node, *(file for version, file in files.items() if version != NEVER))
        made = Upgraded(node, files)
        status, said = made.apply(first)
        assert status == 0, said
        yield made


def allow(node: Administered, *files: Path) -> None:
    """Name releases in policy, all of them and no others."""
    named = "".join(f"\n    - {sha256(file.read_bytes()).hexdigest()}" for file in files)
    text = node.must("cat", f"{HOME}/policy.yaml")
    assert "    releases: []" in text
    node.must(
        "tee",
        f"{HOME}/policy.yaml",
        given=text.replace("    releases: []", f"    releases:{named}"),
    )
    node.master("policy")


def test_the_life_of_an_agent(upgraded: Upgraded) -> None:
    node, (first, *_) = upgraded.node, upgraded.files

    clock = node.unit(HELD).pid
    before = upgraded.installed()

    # T13: a release that policy does not name is not started, whoever asks for it.
    status, said = upgraded.apply(NEVER)
    assert status != 0
    assert f"release {sha256(upgraded.files[NEVER].read_bytes()).hexdigest()}" in said
    assert upgraded.installed() == before

    # Up.
    began = time.monotonic()
    status, said = upgraded.apply("7.0.0")
    assert status == 0, said
    upgraded.settled()
    print(f"up: {time.monotonic() - began:.1f} s")
    assert (upgraded.installed(), upgraded.told()["release"]) == ("7.0.0", "7.0.0")
    assert not node.unit(UPGRADER).is_there or node.unit(UPGRADER).state == "inactive"

    # One that never reaches its master, and one that ends as soon as it begins: back by itself. An
    # apply waits for that and tells why; the next one tells it too, and tries nothing again.
    for version in ("7.1.0", "7.2.0"):
        began = time.monotonic()
        status, said = upgraded.apply(version)
        print(f"back from {version}: {time.monotonic() - began:.1f} s")
        assert status == FAILED, said
        assert "it upgrades its agent" in said
        assert "it did not reach its master within 60 s of its start" in said
        upgraded.settled()
        assert (upgraded.installed(), upgraded.told()["release"]) == ("7.0.0", "7.0.0")
        status, said = upgraded.apply(version)
        assert status == FAILED, said
        assert "it did not reach its master within 60 s of its start" in said
        assert "raise agent.attempt" in said

    # Down, since a person wants it.
    status, said = upgraded.apply(first)
    assert status == 0, said
    upgraded.settled()
    assert (upgraded.installed(), upgraded.told()["release"]) == (first, first)

    # All the while nothing else was touched.
    assert node.unit(HELD).pid == clock
    assert node.unit(AGENT).state == "active"


def test_what_is_installed_by_hand_is_drift_and_set_right(upgraded: Upgraded) -> None:
    node = upgraded.node
    status, said = upgraded.apply("7.0.0")
    assert status == 0, said
    upgraded.settled()
    (first, *_) = upgraded.files
    node.must("dpkg", "-i", f"{INCOMING}/{upgraded.files[first].name}")

    node.waited(
        "the release that is declared",
        lambda: True if upgraded.told()["release"] == "7.0.0" else None,
        seconds=180,
    )
    upgraded.settled()
    assert upgraded.installed() == "7.0.0"
    seen = node.must("saltern-agent", "drift", "--output", "json")
    assert "agent/release" in seen


def test_a_master_that_stands_still_makes_nobody_go_back(upgraded: Upgraded) -> None:
    """Its front takes the node's key, and its core says nothing for longer than a minute."""
    node = upgraded.node
    (first, *_) = upgraded.files
    before = upgraded.installed()
    other = first if before == "7.0.0" else "7.0.0"
    told = node.journal(UPGRADER)
    run_beside(upgraded, other, attempt=50)
    node.waited("the order", lambda: ordered(node), seconds=60)
    node.waited("the new one to be watched", lambda: in_stage(node, "watching"), seconds=60)
    core = str(node.unit(MASTER).pid)
    node.must("kill", "-STOP", core)
    try:
        still = time.monotonic() + 75  # longer than its own watchdog lets it
        while time.monotonic() < still and ordered(node):
            time.sleep(1)
    finally:
        node.machine.exec(["kill", "-CONT", core])
    upgraded.settled()

    assert upgraded.installed() == other
    said = node.journal(UPGRADER)[len(told) :]
    assert "watching" in said
    assert "going back" not in said


def test_whatever_is_killed_one_working_agent_is_left(upgraded: Upgraded) -> None:
    """SALTERN_KILLS says how often."""
    node, chance = upgraded.node, random.Random(7)
    (first, *_) = upgraded.files
    upgraded.settled()
    ends: list[str] = []
    for number in range(KILLS):
        before = upgraded.installed()
        other = first if before == "7.0.0" else "7.0.0"
        run_beside(upgraded, other, attempt=number + 2)
        node.waited("the order", lambda: ordered(node), seconds=60)
        time.sleep(chance.random() * 8)  # the moment is the test
        victim = VICTIMS[number % len(VICTIMS)]
        stage = node.machine.exec(["cat", f"{STATE}/stage.json"]).stdout[:60]
        kill(node, victim)
        upgraded.settled()
        ends.append(f"{victim}, in {stage!r}: {before} -> {upgraded.installed()}")
        print(ends[-1], flush=True)
        assert upgraded.installed() in (first, "7.0.0")
        node.waited(
            "the master to be told",
            lambda: True if upgraded.told()["release"] == upgraded.installed() else None,
        )
        assert node.must("dpkg", "--audit") == ""
        assert node.unit(HELD).state == "active" or victim == "power"


def kill(node: Administered, victim: str) -> None:
    """Kill it, as a power cut or somebody in a hurry does."""
    if victim == "power":
        Lab(node.machine.place.lab).kill_power("w1")
    elif victim == "dpkg":
        node.machine.exec(["sh", "-c", "kill -9 $(pidof dpkg)"])
    else:
        node.machine.exec(["systemctl", "kill", "-s", "KILL", "--kill-whom=all", victim])


def run_beside(upgraded: Upgraded, version: str, attempt: int) -> None:
    """Ask for a release, and wait for nothing."""
    node = upgraded.node
    text = CLUSTER.format(address=node.machine.node.address, held=HELD, word=WORD)
    text += f"agent: {{version: {version}, attempt: {attempt}}}\n"
    node.must("mkdir", "-p", INCOMING)  # a power cut takes it
    node.must("tee", f"{INCOMING}/beside.yaml", given=text)
    node.machine.exec(["saltern", "apply", f"{INCOMING}/beside.yaml", "--no-wait"], timeout=60)


def ordered(node: Administered) -> bool | None:
    """Tell whether an upgrade was ordered."""
    done = node.machine.exec(["test", "-e", f"{STATE}/order.json"])
    return True if done.returncode == 0 else None


def in_stage(node: Administered, name: str) -> bool | None:
    """Tell whether the upgrade is in a stage; None: not now."""
    done = node.machine.exec(["cat", f"{STATE}/stage.json"])
    return True if done.returncode == 0 and json.loads(done.stdout)["name"] == name else None
