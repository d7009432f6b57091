"""The laws of Units and the story of the unit kind, on the systemd of a booted node.

The port works from beside the node: by the node's own bus, and its root as seen from here.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from saltern_agent.host.accounts import Accounts
from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.systemd import SystemdUnits
from saltern_master.lab import Lab, Machine
from saltern_states.ports import Host, HostError, Units
from saltern_states.started import drop_in_path
from saltern_states.unit import KIND, LivesBy, Unit

from tests.contracts.unit_laws import *  # noqa: F403  # each of its tests is one of ours
from tests.contracts.unit_laws import BINARY, CONFIG, RELOADS, UNIT, Ground, prepare
from tests.states.laws import converge, lines, take_back

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]


class NodeGround:
    """A node, seen from beside it."""

    def __init__(self, node: Machine) -> None:
        self.node = node
        self.root = Path(f"/proc/{node.first_process()}/root")
        bus = str(self.root / "run/dbus/system_bus_socket")
        self.units = SystemdUnits(bus, seconds=30, root=self.root)

    def real(self, path: str | Path) -> Path:
        return self.root / str(path).lstrip("/")

    def must(self, *argv: str) -> str:
        done = self.node.exec(argv)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def put(self, path: str, content: bytes) -> None:
        real = self.real(path)
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(content)

    def read(self, path: Path) -> bytes | None:
        real = self.real(path)
        return real.read_bytes() if real.exists() else None

    def take(self, path: str) -> None:
        self.real(path).unlink()

    def put_program(self) -> None:
        new = self.real(f"{BINARY}.new")
        shutil.copy(self.real("/usr/bin/sleep"), new)
        os.replace(new, self.real(BINARY))

    def mask(self, unit: str) -> None:
        self.must("systemctl", "mask", unit)

    def crash(self, unit: str) -> None:
        self.must("systemctl", "kill", "--signal=KILL", unit)
        until = time.monotonic() + 20
        while self.units.state(unit).active == "active":
            assert time.monotonic() < until, "systemd never noticed"

    def set_failing(self, failing: bool) -> None:
        path = str(drop_in_path(UNIT).with_name("90-failing.conf"))
        if failing:
            self.put(path, b"[Service]\nExecStartPre=/bin/sh -c 'echo it went wrong; exit 3'\n")
        else:
            self.take(path)
        self.units.reload_daemon()

    def clear(self) -> None:
        self.node.exec(["systemctl", "stop", UNIT])
        self.node.exec(["systemctl", "unmask", UNIT])
        self.node.exec(["systemctl", "disable", UNIT])
        for place in ("/etc/systemd/system", "/usr/lib/systemd/system"):
            self.real(f"{place}/{UNIT}").unlink(missing_ok=True)
        for folder in (drop_in_path(UNIT).parent, Path("/run/saltern/started")):
            shutil.rmtree(self.real(folder), ignore_errors=True)
        self.node.exec(["systemctl", "daemon-reload"])
        self.node.exec(["systemctl", "reset-failed", UNIT])
        self.units.close()


@pytest.fixture
def ground(node: Machine) -> Iterator[NodeGround]:
    node.wait(60)
    ground = NodeGround(node)
    yield ground
    ground.clear()


def host_of(ground: NodeGround, tmp_path: Path) -> Host:
    blobs = DiskBlobs(tmp_path / "blobs")
    files = DiskFiles(blobs, Root(ground.root), Hashes(), Accounts())
    return cast(Host, SimpleNamespace(units=ground.units, files=files, blobs=blobs))


def hash_of(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_a_failed_start_ends_with_the_journal(ground: NodeGround) -> None:
    prepare(ground)
    ground.set_failing(True)

    with pytest.raises(HostError, match=r"(?s)its journal ends:.*it went wrong"):
        ground.units.start(UNIT)


def test_a_job_that_does_not_end_is_given_up(ground: NodeGround) -> None:
    prepare(ground)
    ground.put(
        str(drop_in_path(UNIT).with_name("90-slow.conf")),
        b"[Service]\nExecStartPre=/bin/sleep 60\n",
    )
    ground.units.reload_daemon()
    bus = str(ground.root / "run/dbus/system_bus_socket")
    hasty = SystemdUnits(bus, seconds=0.5, root=ground.root)

    with pytest.raises(HostError, match=r"cannot start .* its job has not ended after"):
        hasty.start(UNIT)
    hasty.close()


def test_a_bus_that_was_restarted_is_found_again(ground: NodeGround) -> None:
    units = prepare(ground)
    units.state(UNIT)
    ground.must("systemctl", "kill", "--signal=KILL", "dbus.service")
    until = time.monotonic() + 30
    while not answers(units):
        assert time.monotonic() < until


def answers(units: Units) -> bool:
    try:
        return units.state(UNIT).load == "loaded"
    except HostError:
        return False


def test_the_unit_kind_sees_all_that_strangers_do(ground: NodeGround, tmp_path: Path) -> None:
    prepare(ground, RELOADS)
    host = host_of(ground, tmp_path)
    want = Unit(
        unit=UNIT,
        binary=BINARY,
        files=(
            LivesBy(path=CONFIG, sha256=hash_of(b"one")),
            LivesBy(path=f"/etc/systemd/system/{UNIT}", sha256=hash_of(RELOADS.encode())),
        ),
    )
    told = lines(converge(KIND, host, want))
    assert told[2:] == [
        f"systemctl daemon-reload (for {UNIT})",
        f"enable {UNIT}",
        f"start {UNIT} (was inactive)",
    ]

    ground.put(CONFIG, b"stranger")
    ground.must("systemctl", "restart", UNIT)
    ground.put(CONFIG, b"one")
    assert lines(converge(KIND, host, want)) == [f"restart {UNIT}: it runs with another {CONFIG}"]

    ground.put_program()
    (line,) = lines(converge(KIND, host, want))
    assert line == f"restart {UNIT}: it does not run the {BINARY} that is there now"

    for _ in range(6):
        ground.node.exec(["systemctl", "restart", UNIT])
    assert ground.units.state(UNIT).active == "failed"
    assert lines(converge(KIND, host, want)) == [f"start {UNIT} (was failed)"]

    take_back(KIND, host, want)
    assert not ground.real(drop_in_path(UNIT).parent).exists()
    assert ground.units.state(UNIT).active == "inactive"


EARLY = f"""[Unit]
DefaultDependencies=no
Before=sysinit.target dbus.socket
[Service]
ExecStart={BINARY} 100000
[Install]
WantedBy=sysinit.target
"""


def test_a_start_early_in_boot_is_recorded(ground: NodeGround, lab: Lab, tmp_path: Path) -> None:
    prepare(ground, EARLY)
    want = Unit(unit=UNIT, binary=BINARY, files=(LivesBy(path=CONFIG, sha256=hash_of(b"one")),))
    converge(KIND, host_of(ground, tmp_path), want)
    before = ground.units.state(UNIT).invocation

    assert lab.reboot("w1") == "running"

    booted = NodeGround(lab.machine("w1"))
    try:
        assert booted.units.state(UNIT).invocation != before
        assert KIND.plan(host_of(booted, tmp_path), want) == ()
    finally:
        booted.clear()


def test_a_look_costs_about_a_millisecond(
    ground: NodeGround, capsys: pytest.CaptureFixture[str]
) -> None:
    units = prepare(ground)
    units.start(UNIT)
    units.state(UNIT)
    begun, used = time.perf_counter(), time.process_time()
    for _ in range(200):
        units.state(UNIT)
    wall, cpu = (time.perf_counter() - begun) * 5, (time.process_time() - used) * 5
    with capsys.disabled():
        print(f"\na look at a unit: {wall:.2f} ms, {cpu:.2f} ms of our CPU")
    assert cpu < 5


_: type[Ground] = NodeGround
