"""A real node takes a document that parts it from its master: it is back with no hands, every time.

The node, its agent, systemd, the firewall and the connection are real; the master is played, on
the host's end of the lab's bridge.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from saltern_agent.host.link_keys import NodeKeys
from saltern_agent.host.revert_timer import TIMER, SystemdTimer
from saltern_agent.items import TAKEN_BACK
from saltern_agent.link.reporting import tells_of
from saltern_agent.places import Master, Places, keep_master
from saltern_master.lab import Lab, Machine
from saltern_master.lab.install import install
from saltern_protocol import messages
from saltern_protocol.report import Applied, Outcome
from saltern_states.body import Resource, make_body, write_body
from saltern_states.chain import Chain, Jump
from saltern_states.directory import Directory
from saltern_states.file import File

from tests.agent.fake_master import FakeMaster
from tests.agent.test_root import made
from tests.contracts.timer_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.lab.held import wait_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

BACK_SECONDS = 90.0
FOLDER = Directory(path="/etc/docker")
CHAIN = "SALTERN-CUT"
NO_RESTART = "[Service]\nRestart=no\n"
DROP_IN = "/run/systemd/system/saltern-agent.service.d/dead.conf"


@dataclass
class Parted:
    """A node, its master, and the next version."""

    machine: Machine
    master: FakeMaster
    versions: Iterator[int] = field(default_factory=lambda: count(1))

    def must(self, *argv: str, given: str | None = None) -> str:
        done = self.machine.exec(argv, input=given)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout

    def publish(self, text: str, *rules: str) -> int:
        """Let there be a document: a file, and a chain if it has rules."""
        file = File(path="/etc/docker/daemon.json", text=text)
        named = [("folder", FOLDER), ("file", file)]
        resources = [Resource(id=name, spec=spec) for name, spec in named]
        if rules:
            jump = Jump(chain="INPUT", place="first")
            chain = Chain(table="filter", name=CHAIN, rules=rules, jump=jump)
            resources.append(Resource(id="chain", spec=chain))
        version = next(self.versions)
        self.master.publish(write_body(make_body(tuple(resources))), version, turn=version)
        return version

    def applied(self, version: int) -> Applied:
        """Wait for what the node tells of a version."""

        def there() -> Applied | None:
            items = [one for one in self.master.items() if isinstance(one, Applied)]
            return next((one for one in items if one.version == version), None)

        return wait_until(there, f"a result for version {version}", 30)

    def has_chain(self) -> bool:
        done = self.machine.exec(["/usr/sbin/iptables", "-n", "-L", CHAIN])
        return done.returncode == 0

    def is_whole(self) -> bool:
        """Tell whether nothing of the newest document is there any more."""
        return not self.has_chain() and self.text() == "held\n"

    def text(self) -> str:
        return self.machine.exec(["cat", "/etc/docker/daemon.json"]).stdout

    def state(self, unit: str) -> str:
        return self.machine.exec(["systemctl", "is-active", unit]).stdout.strip()

    def status(self) -> dict[str, Any]:
        done = self.machine.exec(["saltern-agent", "status", "--output", "json"])
        found: dict[str, Any] = json.loads(done.stdout)["status"] if done.stdout else {}
        return found

    @property
    def cut(self) -> str:
        """The rule that drops all that the master says."""
        return f"-s {self.machine.network.host}/32 -j DROP"


@pytest.fixture(scope="module")
def parted(lab: Lab, node: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parted]:
    host = str(node.network.host)
    master = FakeMaster(address=host)
    root = made(tmp_path_factory.mktemp("node"))
    places = Places(root / "etc/saltern", root / "lib", root / "run")
    NodeKeys.make(places.config, secrets.token_bytes)
    keep_master(places, Master(addresses=(host,), link_port=master.port, server=master.public))
    install(lab, "w1", print)
    node.copy_in(places.config, "/etc/saltern")
    one = Parted(node, master)
    one.must("chmod", "0700", "/etc/saltern")
    one.must("systemctl", "enable", "--now", "saltern-agent")
    first = one.publish("held\n")
    assert one.applied(first).outcome is Outcome.CHANGED
    yield one
    master.close()


@pytest.fixture
def timer(parted: Parted) -> Iterator[SystemdTimer]:
    def run(command: tuple[str, ...]) -> subprocess.CompletedProcess[bytes]:
        done = parted.machine.exec(command)
        said = done.stderr.encode()
        return subprocess.CompletedProcess(done.args, done.returncode, b"", said)

    made = SystemdTimer(run)
    yield made
    made.stop()


def test_a_change_that_lets_the_master_through_is_confirmed_at_once(parted: Parted) -> None:
    hellos = sum(isinstance(one, messages.Hello) for one in parted.master.heard)
    began = time.monotonic()
    version = parted.publish("held\n", "-s 192.0.2.1/32 -j DROP")
    told = parted.applied(version)
    took = time.monotonic() - began

    assert (told.outcome, told.turn) == (Outcome.CHANGED, version)
    assert sum(isinstance(one, messages.Hello) for one in parted.master.heard) == hellos + 1
    heard = tuple(parted.master.heard)
    result = next(
        at
        for at, one in enumerate(heard)
        if isinstance(one, messages.Report) and tells_of(one, version)
    )
    looks = [one for one in heard[:result] if isinstance(one, messages.Looked)]
    assert version not in {one.turn for one in looks}, "its result is the first answer"
    wait_until(lambda: parted.state(TIMER) == "inactive", "no timer", 10)
    print(f"applied, confirmed and told in {took * 1000:.0f} ms")
    gone = parted.publish("held\n")
    assert parted.applied(gone).outcome is Outcome.CHANGED
    assert parted.is_whole()


@pytest.mark.long
def test_a_node_that_cut_itself_off_is_back_with_no_hands(parted: Parted) -> None:
    version = parted.publish("cut\n", parted.cut)
    wait_until(parted.has_chain, "the chain that cuts", 30)
    began = time.monotonic()
    status = wait_until(parted.status, "an agent that answers")
    assert status["confirm_by"] > 0
    assert parted.state(TIMER) == "active"
    wait_until(parted.is_whole, "what was held before", BACK_SECONDS)
    told = parted.applied(version)
    took = time.monotonic() - began

    assert took < BACK_SECONDS
    assert (told.outcome, told.reason, told.turn) == (Outcome.FAILED, TAKEN_BACK, version)
    assert parted.status()["state"] == "taken back"
    wait_until(lambda: parted.state(TIMER) == "inactive", "no timer", 10)
    print(f"back in contact {took:.1f} s after it was cut off")


@pytest.mark.long
def test_so_is_one_whose_agent_is_killed_and_not_started_again(parted: Parted) -> None:
    parted.must("mkdir", "-p", str(Path(DROP_IN).parent))
    parted.must("tee", DROP_IN, given=NO_RESTART)
    parted.must("systemctl", "daemon-reload")
    version = parted.publish("cut\n", parted.cut)
    wait_until(parted.has_chain, "the chain that cuts", 30)
    parted.must("systemctl", "kill", "--signal=SIGKILL", "saltern-agent")
    began = time.monotonic()
    wait_until(lambda: parted.state("saltern-agent") == "failed", "a dead agent", 10)
    wait_until(parted.is_whole, "what was held before", BACK_SECONDS)
    took = time.monotonic() - began

    assert took < BACK_SECONDS
    assert parted.state("saltern-agent") == "failed"
    wait_until(lambda: parted.state(TIMER) == "inactive", "no timer", 20)
    parted.must("rm", DROP_IN)
    parted.must("systemctl", "daemon-reload")
    parted.must("systemctl", "start", "saltern-agent")
    assert parted.applied(version).reason == TAKEN_BACK
    assert wait_until(parted.status, "an agent that answers")["state"] == "taken back"
    newer = parted.publish("held\n")
    assert parted.applied(newer).outcome is Outcome.CONVERGED
    print(f"held what it held before {took:.1f} s after its agent was killed")
