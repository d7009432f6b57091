"""A lab: real nodes on one machine, brought up, used and taken down by any process.

    lab = Lab("demo"); lab.up(("cp1", "w1")); lab.exec("w1", ["uname", "-n"]); lab.down()

All that a lab is stands on disk and in the kernel (state.py, layout.py); this class holds a name
only. What changes the lab holds its lock. up() makes true what is asked for from whatever is
there; down() needs no more than the record, and goes on past what it cannot remove.
"""

import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import msgspec

from saltern_master.commands import CommandError
from saltern_master.lab import host as hosts
from saltern_master.lab import layout, network, rootfs, state, sysctls
from saltern_master.lab.errors import LabError
from saltern_master.lab.layout import DEFAULT_NETWORK, STATE, Network, Place
from saltern_master.lab.machine import Machine
from saltern_master.packages import SUITE

Progress = Callable[[str], None]


class NodeStatus(msgspec.Struct, frozen=True):
    """What a node is at this moment."""

    name: str
    address: str
    state: str  # running, degraded, starting, stopping, off ...
    failed: tuple[str, ...]  # units
    pid: int | None  # of the node's first process, on the host
    root: str


class Status(msgspec.Struct, frozen=True):
    """What a lab is at this moment."""

    name: str
    host: str
    bridge: str
    subnet: str
    nodes: tuple[NodeStatus, ...]


def _silent(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Lab:
    """A lab by its name; `network` and `suite` (Debian's release) count when it is first up."""

    name: str
    network: Network = DEFAULT_NETWORK
    base: Path = STATE
    suite: str = SUITE

    def __post_init__(self) -> None:
        layout.check_name(self.name)

    def up(
        self,
        nodes: Iterable[str] = ("w1",),
        progress: Progress = _silent,
        *,
        timeout: float = 90,
    ) -> tuple[Machine, ...]:
        """Boot the nodes (NAME or NAME=ADDRESS) and those that are there; give all machines.

        LabError when a node has not started everything within `timeout` seconds.
        """
        wanted = tuple(nodes)
        layout.nodes(wanted, self.network)  # what is written wrongly shall not cost half a minute
        host = hosts.find()
        progress(f"this machine: {host.describe()}")
        tree = rootfs.ready(progress, self.suite)
        with state.lock(self.name) as lock:
            record = self._record_intent(wanted, tree.path)
            network.make(record.network(), record.mark, lock)
            for line in sysctls.raise_inotify():
                progress(line)
            if said := network.warning():
                progress(said)
            machines = self._machines(record, host)
            began = time.monotonic()
            for machine in machines:
                machine.boot(lock)
            for machine in machines:
                said = machine.wait(timeout)
                took = time.monotonic() - began
                progress(f"{machine.node.name} ({machine.node.address}): {said} after {took:.1f} s")
        return machines

    def down(self, progress: Progress = _silent) -> None:
        """Remove all of the lab: processes, mounts, links, groups, directories."""
        host = hosts.find()
        with state.lock(self.name) as lock:
            record = state.read(self.name, self.base)
            wrong: list[str] = []
            for machine in self._machines(record, host) if record else ():
                wrong += _attempt(partial(machine.remove, lock))
                progress(f"{machine.node.name} is gone")
            if record and not wrong:
                wrong += _attempt(partial(_unbridge, record, lock, progress))
                wrong += _attempt(partial(self._put_back, record, progress))
            if wrong:
                raise LabError(f"cannot take the lab {self.name} down: {'; '.join(wrong)}")
            self._forget()

    def status(self) -> Status:
        """Look at the lab; LabError when there is none."""
        host = hosts.find()
        record = self._known()
        nodes = tuple(_status_of(machine) for machine in self._machines(record, host))
        return Status(self.name, host.describe(), record.bridge, record.subnet, nodes)

    def machine(self, node: str) -> Machine:
        """Give one node of the lab."""
        for machine in self.machines():
            if machine.node.name == node:
                return machine
        names = ", ".join(self._known().nodes)
        raise LabError(f"cannot find the node {node}: the lab {self.name} has {names}")

    def machines(self) -> tuple[Machine, ...]:
        """Give all nodes of the lab."""
        return self._machines(self._known(), hosts.find())

    def exec(
        self,
        node: str,
        argv: Sequence[str],
        *,
        input: str | bytes | None = None,  # noqa: A002 - subprocess.run's name for it
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program in a node, as root, for `timeout` seconds at most."""
        return self.machine(node).exec(argv, input=input, timeout=timeout)

    def copy_in(self, node: str, source: Path, path: str) -> None:
        """Copy a file, or a directory's content, into a node, as root's."""
        self.machine(node).copy_in(source, path)

    def root(self, node: str) -> Path:
        """Where the host sees the node's root file system."""
        return Place(self.name, node, self.base).root

    def become(self, node: str, argv: Sequence[str], terminal: str = "linux") -> NoReturn:
        """Replace this process by a program in a node: terminal, signals and status are its."""
        self.machine(node).become(argv, terminal)

    def shell(self, node: str, terminal: str = "linux") -> NoReturn:
        """Replace this process by a root shell in a node."""
        self.become(node, ["/bin/bash", "--login"], terminal)

    def reboot(self, node: str, *, timeout: float = 90) -> str:
        """Have the node shut down in order and boot again; give what systemd says then."""
        machine = self.machine(node)
        before = machine.first_process()
        machine.exec(["systemctl", "reboot", "--no-block"], timeout=timeout)
        deadline = time.monotonic() + timeout
        while machine.first_process() in (before, None):
            if time.monotonic() > deadline:
                raise LabError(f"cannot reboot {node}: after {timeout:g} s it has not come back")
            time.sleep(0.02)
        return machine.wait(max(1.0, deadline - time.monotonic()))

    def kill_power(self, node: str, *, timeout: float = 90) -> str:
        """Kill everything in the node at once and boot it again from its disk."""
        machine = self.machine(node)
        with state.lock(self.name) as lock:
            machine.kill()
            machine.boot(lock)
        return machine.wait(timeout)

    def _record_intent(self, wanted: tuple[str, ...], tree: Path) -> state.Lab:
        """Write down what will be made, before any of it is."""
        known = state.read(self.name, self.base)
        if known is None:
            network.check_free(self.network, network.links(), network.used_subnets())
            net = self.network
            known = state.Lab(
                self.name,
                net.bridge,
                str(net.subnet),
                str(tree),
                {},
                self._sysctls_before(),
                number=secrets.token_hex(4),
            )
        nodes = layout.nodes(wanted, known.network(), known.members())
        record = msgspec.structs.replace(
            known, nodes={node.name: str(node.address) for node in nodes}
        )
        state.write(record, self.base)
        return record

    def _others(self) -> tuple[state.Lab, ...]:
        found = (state.read(name, self.base) for name in state.names(self.base))
        return tuple(other for other in found if other and other.name != self.name)

    def _put_back(self, record: state.Lab, progress: Progress) -> None:
        if not self._others() and (restored := sysctls.restore(record.sysctls)):
            progress(f"put back: {', '.join(restored)}")

    def _sysctls_before(self) -> dict[str, str]:
        """What was before the first lab: it is handed on, and the last to go puts it back."""
        others = self._others()
        return others[0].sysctls if others else sysctls.remember()

    def _machines(self, record: state.Lab, host: hosts.Host) -> tuple[Machine, ...]:
        return tuple(
            Machine(
                Place(self.name, node.name, self.base),
                node,
                record.network(),
                host,
                Path(record.rootfs),
            )
            for node in record.members()
        )

    def _known(self) -> state.Lab:
        record = state.read(self.name, self.base)
        if record is None:
            raise LabError(f"cannot find the lab {self.name}: `saltern lab up` makes it")
        return record

    def _forget(self) -> None:
        folder = self.base / self.name
        if folder.exists():
            shutil.rmtree(folder)
        if self.base.is_dir() and not any(self.base.iterdir()):
            self.base.rmdir()


def _unbridge(record: state.Lab, lock: int, progress: Progress) -> None:
    if said := network.remove(record.network(), record.mark, lock):
        progress(said)


def _attempt(deed: Callable[[], None]) -> list[str]:
    try:
        deed()
    except (LabError, CommandError, OSError) as error:
        return [str(error)]
    return []


def _status_of(machine: Machine) -> NodeStatus:
    first = machine.first_process()
    said = "off"
    failed: tuple[str, ...] = ()
    if first is not None:
        said = machine.exec(["systemctl", "is-system-running"]).stdout.strip() or "starting"
        failed = machine.failed_units() if said == "degraded" else ()
    return NodeStatus(
        machine.node.name, str(machine.node.address), said, failed, first, str(machine.place.root)
    )
