"""agent/1 with a real dpkg below a directory: handed over, gone through, done or gone back."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import stat
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import cast

import pytest
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.dpkg import DebianPackages
from saltern_agent.host.upgrades import DebUpgrades
from saltern_agent.upgrade.ground import NAME, WANTS, Ground, tidy
from saltern_agent.upgrade.program import upgrader
from saltern_agent.upgrade.records import Records
from saltern_agent.upgrade.run import Clock, Upgrader
from saltern_agent.upgrade.stages import Order, Stage
from saltern_states.agent import KIND, Agent
from saltern_states.contract import Blocked
from saltern_states.ports import Host, HostError
from saltern_states.upgrade_ports import HandedOverError

from tests.upgrade.debs import TREE, Behaviour, build
from tests.upgrade.ground import FASTER, FileUnit, dpkg_of, lay_out, now, records_of

pytestmark = pytest.mark.system


@dataclass
class Machine:
    """What agent/1 asks of a node, on a machine below a directory."""

    folder: Path
    root: Path
    packages: DebianPackages
    blobs: DiskBlobs
    upgrades: DebUpgrades

    @property
    def host(self) -> Host:
        """The three ports of it that the kind knows."""
        return cast(Host, self)

    def release(self, version: str, behaviour: Behaviour = "well", script: str = "") -> Agent:
        """Bring a release, and want it."""
        scripts = {"postinst": script} if script else {}
        deb = build(self.folder, version, behaviour, scripts)
        content = deb.read_bytes()
        name = sha256(content).hexdigest()
        self.blobs.add(name, iter([content]))
        return Agent(version=version, deb=name)

    def hand_over(self, want: Agent) -> None:
        """Have the kind begin it."""
        (change,) = KIND.plan(self.host, want)
        with pytest.raises(HandedOverError):
            KIND.apply(self.host, change)  # type: ignore[arg-type]

    def free(self) -> int:
        """Give the bytes that are free on its disk."""
        found = os.statvfs(self.root)
        return found.f_bavail * found.f_frsize

    def go_on(self) -> None:
        """Be the upgrader, in this process."""
        records = records_of(self.root)
        boot = (self.root / "boot").read_text
        clock = Clock(boot, now, lambda: 5.0, lambda seconds: time.sleep(seconds / FASTER))
        unit, said = FileUnit(self.root), list[str]()
        Upgrader(records, dpkg_of(self.root), unit, clock, said.append).go_on()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return machine_at(tmp_path)


def machine_at(folder: Path, spare: int = 0) -> Machine:
    """Give a machine below a directory, which has the first release."""
    root = folder / "machine"
    lay_out(root)
    (root / "units").mkdir()
    (root / "master").touch()
    dpkg_of(root).install(build(folder, "1.0"))
    FileUnit(root).restart()
    ground = Ground(records_of(root), root, root / "units", lambda: "", spare)
    tree = root / TREE
    upgrades = DebUpgrades(ground, root / "master", lambda: "", root, tree, tree / "version")
    packages = DebianPackages(root / "var/lib/dpkg", root / "policy", folder)
    return Machine(folder, root, packages, DiskBlobs(root / "blobs"), upgrades)


def test_one_that_is_well_is_handed_over_and_installed(machine: Machine) -> None:
    want = machine.release("2.0")

    machine.hand_over(want)
    assert "wait for the upgrade" in str(KIND.plan(machine.host, want)[0])
    assert machine.packages.version("saltern-agent") == "1.0", "the agent itself replaces nothing"
    machine.go_on()

    assert KIND.plan(machine.host, want) == ()
    assert FileUnit(machine.root).runs() == "2.0"


@pytest.mark.parametrize(
    ("behaviour", "script", "why"),
    [
        ("silent", "", "did not reach its master within 60 s"),
        ("dies", "", "did not stay up"),
        ("slow", "", "did not reach its master within 600 s"),
        ("well", "exit 7", "dpkg could not install it"),
    ],
)
def test_one_that_is_not_is_followed_by_the_one_before_and_not_tried_again(
    machine: Machine, behaviour: Behaviour, script: str, why: str
) -> None:
    want = machine.release("2.0", behaviour, script)
    before = (machine.root / TREE / "part01.py").read_bytes()

    machine.hand_over(want)
    machine.go_on()

    assert FileUnit(machine.root).runs() == "1.0"
    assert machine.packages.version("saltern-agent") == "1.0"
    assert (machine.root / TREE / "part01.py").read_bytes() == before
    (change,) = KIND.plan(machine.host, want)
    assert isinstance(change, Blocked)
    assert why in change.why
    assert KIND.plan(machine.host, Agent(version="2.0", deb=want.deb, attempt=2)) != (change,)


def test_what_is_left_of_it_is_the_way_back_and_a_word_of_how_it_ended(machine: Machine) -> None:
    machine.hand_over(machine.release("2.0"))
    state, units = machine.root / "var/lib/saltern/upgrade", machine.root / "units"
    assert stat.S_IMODE(state.stat().st_mode) & 0o077 == 0 or state.stat().st_uid == os.getuid()
    assert (units / WANTS / NAME).readlink() == units / NAME
    assert f"ConditionPathExists={state}/order.json" in (units / NAME).read_text()
    tidy(machine.upgrades.ground)
    assert (units / NAME).exists(), "one is under way"
    machine.go_on()
    tidy(machine.upgrades.ground)

    assert sorted(one.name for one in state.iterdir()) == [
        "ended.json",
        "old.deb",
        "stage.json",
        "upgrader.pyz",
    ]
    assert not (units / NAME).exists()
    assert not os.path.lexists(units / WANTS / NAME)


def test_what_was_swapped_after_it_was_handed_over_is_not_installed(machine: Machine) -> None:
    """T13: what is installed is hashed once more, right before."""
    want = machine.release("2.0")
    machine.hand_over(want)
    evil = build(machine.folder, "6.66")
    shutil.copyfile(evil, records_of(machine.root).new)
    machine.go_on()

    ended = records_of(machine.root).ended()
    assert ended is not None
    assert "is not what it was when it was handed over" in ended.why
    assert FileUnit(machine.root).runs() == "1.0"


def test_without_a_way_back_nothing_is_handed_over(machine: Machine) -> None:
    want = machine.release("2.0")
    (machine.root / TREE / "part00.py").write_text("mended by hand")
    (change,) = KIND.plan(machine.host, want)

    with pytest.raises(HostError, match=r"there is no way back: .*part00.py is not as its package"):
        KIND.apply(machine.host, change)  # type: ignore[arg-type]
    assert not records_of(machine.root).under_way()


def test_while_the_master_is_not_reached_nothing_is_handed_over(machine: Machine) -> None:
    """Else the new one would go back for what is no fault of its own."""
    want = machine.release("2.0")
    machine.upgrades = replace(machine.upgrades, unreached=lambda: "no route to host")

    (change,) = KIND.plan(machine.host, want)
    assert isinstance(change, Blocked)
    assert "nobody could say now that a new agent is well: no route to host" in change.why
    machine.upgrades = replace(machine.upgrades, unreached=lambda: "")
    machine.hand_over(want)


def test_without_room_nothing_is_handed_over(machine: Machine) -> None:
    want = machine.release("2.0")
    machine.upgrades = replace(
        machine.upgrades, ground=replace(machine.upgrades.ground, spare=1 << 60)
    )
    (change,) = KIND.plan(machine.host, want)

    with pytest.raises(HostError, match=r"lacks .* MiB for the new release and the way back"):
        KIND.apply(machine.host, change)  # type: ignore[arg-type]
    assert not records_of(machine.root).under_way()


def test_without_room_for_dpkgs_own_record_nothing_is_handed_over(tmp_path: Path) -> None:
    """It may lie on another disk than all of ours; full, dpkg neither installs nor goes back."""
    record = tmp_path / "machine/var/lib/dpkg"
    record.mkdir(parents=True)
    subprocess.run(
        ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(record)],
        check=True,
        timeout=20,
    )
    try:
        machine = machine_at(tmp_path, spare=4 << 20)
        (change,) = KIND.plan(machine.host, machine.release("2.0"))

        with pytest.raises(HostError, match=r"var/lib/dpkg lacks 3 MiB"):
            KIND.apply(machine.host, change)  # type: ignore[arg-type]
        assert not records_of(machine.root).under_way()
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", str(record)], check=True, timeout=20)


def test_an_agent_that_is_killed_while_it_hands_over_has_done_so_or_has_not(
    machine: Machine,
) -> None:
    chance, want = random.Random(1), machine.release("2.0")
    ends = set[bool]()
    for _ in range(40):
        child = os.fork()
        if child == 0:
            try:
                machine.hand_over(want)
            finally:
                os._exit(0)
        time.sleep(chance.random() * 0.08)  # the moment is the test
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        handed_over = machine.upgrades.ground.records.under_way()
        ends.add(handed_over)
        if handed_over:
            break
    if not machine.upgrades.ground.records.under_way():
        machine.hand_over(want)
    machine.go_on()

    assert False in ends
    assert FileUnit(machine.root).runs() == "2.0"


@dataclass(frozen=True)
class Doubtful(Records):
    """A disk that takes an order, and cannot say whether it is there for good."""

    def write_order(self, order: Order) -> None:
        """Write it, and complain."""
        super().write_order(order)
        raise OSError(errno.EIO, os.strerror(errno.EIO), str(self.state))


def test_what_was_ordered_is_ordered_though_the_disk_complained(machine: Machine) -> None:
    """Else the new package would be taken away, and the upgrade go back for want of it."""
    want = machine.release("2.0")
    records = records_of(machine.root)
    ground = replace(machine.upgrades.ground, records=Doubtful(records.state, records.run))
    machine.upgrades = replace(machine.upgrades, ground=ground)

    machine.hand_over(want)
    machine.go_on()

    assert FileUnit(machine.root).runs() == "2.0"


def test_the_upgrader_is_nothing_that_the_machines_site_could_change(machine: Machine) -> None:
    """Whoever may write below /usr/local would else be root by a .pth file."""
    machine.hand_over(machine.release("2.0"))
    (line,) = (
        line
        for line in (machine.root / "units" / NAME).read_text().splitlines()
        if line.startswith("ExecStart=")
    )

    assert line.split()[1:4] == ["-I", "-S", str(records_of(machine.root).program)]


@pytest.mark.parametrize(
    "stage", [Stage("watching", asked=1.0), Stage("going back", why="it was ill")]
)
def test_on_a_full_disk_the_package_that_was_tried_makes_room_to_say_so(
    tmp_path: Path, stage: Stage
) -> None:
    """Else nobody would ever go back: the stage is on the disk before anything of it is done."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(
        ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)],
        check=True,
        timeout=20,
    )
    try:
        records = Records(disk, disk)
        records.new.write_bytes(bytes(65536))
        records.keep(Stage("installing"))
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(4096)):
                pass
        with pytest.raises(OSError, match="No space left"):
            records.keep(Stage("installing", tries=1))

        records.keep(stage)

        assert records.stage() == stage
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", str(disk)], check=True, timeout=20)


@pytest.mark.parametrize("left", [0, 4096])
def test_a_disk_that_is_full_by_then_hinders_no_way_back(tmp_path: Path, left: int) -> None:
    """The new package and a reserve are let go of: that is room for the old one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(
        ["/usr/bin/mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(disk)],
        check=True,
        timeout=20,
    )
    try:
        machine = machine_at(disk, spare=1 << 20)
        want = machine.release("2.0", "silent")
        machine.hand_over(want)
        with suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(bytes(65536)):
                if machine.free() <= left:
                    break
        machine.go_on()

        assert FileUnit(machine.root).runs() == "1.0"
        assert machine.packages.version("saltern-agent") == "1.0"
        ended = records_of(machine.root).ended()
        assert ended is not None
        assert not ended.done
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", str(disk)], check=True, timeout=20)


def test_the_program_is_the_same_each_time_and_needs_nothing_of_ours(tmp_path: Path) -> None:
    program = tmp_path / "upgrader.pyz"
    program.write_bytes(upgrader())

    assert upgrader() == program.read_bytes()
    check = (
        "import sys, runpy; sys.path.insert(0, sys.argv[1]); import saltern_agent.upgrade.run as r;"
        "assert r.__file__.startswith(sys.argv[1]);"
        "print(sorted({m.split('.')[0] for m in sys.modules} - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-c", check, str(program)],
        check=True,
        capture_output=True,
        text=True,
        cwd="/",
    )
    assert done.stdout.strip() == "['__main__', 'saltern_agent']"
