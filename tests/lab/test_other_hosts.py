"""The machines that this one is not: cgroup v2 without systemd, and with it.

A mount namespace in which /sys/fs/cgroup is a v2 tree is a machine without systemd; a node that
is booted there is a machine with systemd and v2, and runs a lab of its own. Both trees may have
few controllers, so this shows booting, entering, killing and removing, not limits.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from saltern_master.lab import Lab, host

pytestmark = [
    pytest.mark.lab,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        Path("/sys/fs/cgroup/cgroup.controllers").exists(),
        reason="this machine itself has cgroup v2, so the other tests show it",
    ),
]

# What a lab goes through, told as JSON; in the namespace here, and in a node there.
STORY = """
import json, sys
from ipaddress import IPv4Network
from pathlib import Path
from saltern_master.lab import Lab, Network
name, bridge, subnet, base = sys.argv[1:]
lab = Lab(name, Network(bridge, IPv4Network(subnet)), Path(base))
seen = {}
try:
    one, two = lab.up(("w1", "w2"))
    seen["way"] = one.host.way
    seen["ping"] = one.exec(["ping", "-c", "1", "-W", "5", str(two.node.address)]).returncode
    seen["group"] = one.exec(["cat", "/proc/self/cgroup"]).stdout.splitlines()[-1]
    one.exec(["sh", "-c", "echo kept >/etc/kept"])
    seen["power cut"] = lab.kill_power("w1")
    seen["reboot"] = lab.reboot("w1")
    seen["kept"] = one.exec(["cat", "/etc/kept"]).stdout
    two.kill()
    two.kill()  # what is off already, or has gone off since somebody looked, is as good
    seen["off"] = [node.state for node in lab.status().nodes]
    lab.up(())
    seen["on"] = [node.state for node in lab.status().nodes]
    groups = one.groups() + two.groups()
finally:
    lab.down()
seen["left"] = [str(path) for path in (*groups, lab.base / name) if path.exists()]
print(json.dumps(seen))
"""
TOLD = {
    "ping": 0,
    "group": "0::/init.scope",
    "power cut": "running",
    "reboot": "running",
    "kept": "kept\n",
    "off": ["running", "off"],
    "on": ["running", "running"],
    "left": [],
}

# Makes a node into a machine that can run a lab: programs, the root file system, this code.
OUTER = """
import shutil, subprocess, sys
from ipaddress import IPv4Network
from pathlib import Path
import saltern_master
from saltern_master import cache, packages
from saltern_master.lab import Lab, Network, agent_package, rootfs
name, bridge, subnet, story = sys.argv[1:]
def silent(line): pass
lab = Lab(name, Network(bridge, IPv4Network(subnet)))
try:
    node, = lab.up(("w1",))
    tree = rootfs.ready(silent)
    wanted = ("systemd-container", "mmdebstrap")
    debs = packages.fetch_closure(wanted, tree.status, cache.root() / "debs", silent)
    agent = agent_package.build(agent_package.checkout(), "deb12", silent).path
    for deb in (*(Path(deb.path) for deb in debs), agent):
        node.copy_in(deb, "/root/debs/" + deb.name)
    node.exec(["sh", "-c", "dpkg --install /root/debs/*.deb"], timeout=300).check_returncode()
    real = node.place.real("docker")  # no overlay can lie on the node's own overlay
    subprocess.run(["/usr/bin/cp", "-a", str(tree.path), str(real / tree.path.name)], check=True)
    (real / "lab").mkdir()
    folder = "/root/.cache/saltern/lab/rootfs"
    node.exec(["mkdir", "-p", folder]).check_returncode()
    node.exec(["ln", "-s", "/var/lib/docker/" + tree.path.name, folder]).check_returncode()
    node.copy_in(Path(saltern_master.__file__).parent, "/opt/code/saltern_master")
    inner = ["inner", "saltern254", "10.254.0.0/24", "/var/lib/docker/lab"]
    python = ["env", "PYTHONPATH=/usr/lib/saltern-agent:/opt/code", "python3", "-c", story]
    done = node.exec([*python, *inner], timeout=300)
    sys.stdout.write(done.stdout)
    sys.stderr.write(done.stderr)
finally:
    lab.down()
"""

ONLY_V2 = 'umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'
NAMESPACE = ["/usr/bin/unshare", "--mount", "--propagation=private", "/bin/sh", "-c", ONLY_V2, "-"]


def run_there(script: str, *words: str) -> object:
    """Run Python in a namespace whose cgroups are version 2, and read what it tells."""
    line = [*NAMESPACE, sys.executable, "-c", script, *words]
    done = subprocess.run(line, capture_output=True, text=True, timeout=400, check=False)
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


def test_version_2_without_systemd(lab: Lab) -> None:
    if Path("/run/systemd/system").is_dir():
        pytest.skip("this machine has systemd")
    words = (lab.name, lab.network.bridge, str(lab.network.subnet), str(lab.base))
    assert run_there(STORY, *words) == TOLD | {"way": "v2"}


def test_version_2_with_systemd(lab: Lab) -> None:
    assert host.find().way == "v1"
    words = (lab.name, lab.network.bridge, str(lab.network.subnet))
    assert run_there(OUTER, *words, STORY) == TOLD | {"way": "systemd"}
