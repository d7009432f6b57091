"""After `down` nothing is left, whatever killed whom before; and `up` works again after it.

traces() gives all on the machine that bears the lab's name or bridge, so it sees what is left
of this lab and is blind to others that run beside it.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from saltern_master.lab import Lab, cgroups, network, state
from saltern_master.lab.layout import STATE

pytestmark = [pytest.mark.lab, pytest.mark.timeout(300)]

KINDS = {"mounts", "links", "groups", "processes", "directories"}


def traces(lab: Lab) -> dict[str, list[str]]:
    mountinfo = Path("/proc/self/mountinfo").read_text()
    links = network.links()
    wires = [
        link
        for link in links
        if (Path("/sys/class/net", link, "master")).resolve().name == lab.network.bridge
    ]
    trees = [tree.mount / cgroups.TOP / lab.name for tree in cgroups.parse_mountinfo(mountinfo)]
    folders = [
        STATE / lab.name,
        Path(f"/run/lock/saltern-lab-{lab.name}.lock"),
        *Path("/run/systemd/nspawn").glob(f"*/*saltern-{lab.name}-*"),
    ]
    found = {
        "mounts": [line for line in mountinfo.splitlines() if f"/{lab.name}/" in line],
        "links": [link for link in links if link == lab.network.bridge] + wires,
        "groups": [str(tree) for tree in trees if tree.exists()],
        "processes": [f"{pid} {line}" for pid, line in processes() if lab.name in line],
        "directories": [str(path) for path in folders if path.exists()],
    }
    return {kind: names for kind, names in found.items() if names}


def processes() -> Iterator[tuple[str, str]]:
    """Every process but us, with its command line and its cgroups.

    Not the dead whom the machine's first process has not buried yet: they hold nothing.
    """
    for folder in Path("/proc").glob("[0-9]*"):
        if folder.name != str(os.getpid()):
            with suppress(FileNotFoundError, ProcessLookupError):
                alive = (folder / "stat").read_text().rpartition(")")[2].split()[0]
                line = (folder / "cmdline").read_bytes() + (folder / "cgroup").read_bytes()
                if alive not in "ZX":
                    yield folder.name, line.decode(errors="replace")


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.002)


def test_a_lab_is_seen_everywhere_while_up_and_nowhere_after(lab: Lab) -> None:
    assert traces(lab) == {}
    # Of the shared ones, one that no node sets by itself: systemd lifts fs.file-max when it boots.
    shared = Path("/proc/sys/vm/swappiness")
    before = shared.read_text()
    lab.up(("w1", "w2"))
    assert set(traces(lab)) == KINDS
    node = lab.machine("w1")
    node.exec(["sysctl", "-w", f"vm.swappiness={int(before) - 1}"])
    node.exec(["sh", "-c", "setsid sleep 9999 >/dev/null 2>&1 &"])
    node.exec(["mount", "-t", "tmpfs", "tmpfs", "/mnt"])
    assert shared.read_text() != before, "the kernel is shared"
    alone = state.names() == (lab.name,)
    lab.down()
    assert traces(lab) == {}
    if alone:
        assert shared.read_text() == before
    else:
        shared.write_text(before)  # the last lab to go does it; we cannot wait for that
    lab.down()  # there is nothing to do


CRASHING = """
import sys
from ipaddress import IPv4Network
from saltern_master.lab import Lab, Network
lab = Lab(sys.argv[1], Network(sys.argv[2], IPv4Network(sys.argv[3])))
lab.up(("w1", "w2"))
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(lab: Lab) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that brings the lab up and then stays; killed at the latest at the end."""
    line = [sys.executable, "-c", CRASHING, lab.name, lab.network.bridge, str(lab.network.subnet)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


MOMENTS: dict[str, Callable[[Lab], Path]] = {
    "it wrote down what it will do": lambda lab: STATE / lab.name / "lab.json",
    "the bridge is there": lambda lab: Path("/sys/class/net", lab.network.bridge),
    "the first disk is there": lambda lab: STATE / lab.name / "nodes/w1/upper",
    "the first node has a group": lambda lab: Path("/sys/fs/cgroup/systemd/saltern-lab", lab.name),
    "the first node is held up": lambda lab: STATE / lab.name / "nodes/w1/supervisor.json",
    "the second node is held up": lambda lab: STATE / lab.name / "nodes/w2/supervisor.json",
}


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("then", ["down", "up"])
def test_killed_while_it_comes_up(lab: Lab, moment: str, then: str) -> None:
    with another_process(lab) as process:
        wait_for(MOMENTS[moment](lab).exists)
        process.kill()
    if then == "up":
        assert {machine.wait(60) for machine in lab.up(("w1", "w2"))} == {"running"}
    lab.down()
    assert traces(lab) == {}


def test_killed_with_all_that_holds_nodes_up(lab: Lab) -> None:
    with another_process(lab) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"
    for machine in lab.machines():
        if held := state.read_supervisor(machine.place.supervisor):
            os.kill(held.pid, signal.SIGKILL)
    assert "processes" in traces(lab), "the nodes go on by themselves"
    lab.down()
    assert traces(lab) == {}


def test_a_node_whose_boot_was_killed_boots_again(lab: Lab) -> None:
    lab.up(("w1",))
    node = lab.machine("w1")
    first = node.first_process()
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: node.first_process() is None)
    assert lab.up(("w1",))[0].wait(60) == "running"
    lab.down()
    assert traces(lab) == {}
