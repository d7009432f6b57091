"""docker: the guide's docker on cbr0.

The options are the guide's (bridge, iptables=false, ip-masq=false, the MTU, 1,000,000 open
files), and what a node needs to be held: live-restore, so that dockerd restarts without its
containers; rotation of logs, which Docker does not do by itself; and the cgroup driver, which
must be the kubelet's.

docker.socket is no resource of its own: Debian's docker.service requires it, so it is started
with the service and takes the service down when it is stopped.
"""

from __future__ import annotations

import json

from saltern_states.body import Resource
from saltern_states.directory import Directory
from saltern_states.file import File
from saltern_states.kernel_module import KernelModule
from saltern_states.unit import Unit

from saltern_master.cluster.model import Docker
from saltern_master.compile.cbr0 import NAME as BRIDGE
from saltern_master.compile.node import NodeInput, lives_by, package, resource

PART = "docker"
SERVICE = f"{PART}/docker.service"
LIMITS = "[Service]\nLimitNOFILE=1000000\n"


def docker(given: NodeInput, after: tuple[str, ...]) -> tuple[Resource, ...]:
    """Give docker's package, files and unit. `after`: the bridge and what packets need."""
    debian = resource(PART, "docker.io", package("docker.io", given.stock))
    overlay = resource(PART, "overlay", KernelModule(name="overlay"), ["network/kmod"])
    etc = resource(PART, "etc", Directory(path="/etc/docker"))
    drop_ins = resource(
        PART, "docker.service.d", Directory(path="/etc/systemd/system/docker.service.d")
    )
    text = daemon_json(given.docker, given.facts.pods_mtu)
    daemon = File(path="/etc/docker/daemon.json", text=text)
    limits = File(path="/etc/systemd/system/docker.service.d/10-limits.conf", text=LIMITS)
    files = (
        resource(PART, "daemon.json", daemon, [etc.id]),
        resource(PART, "limits.conf", limits, [drop_ins.id]),
    )
    unit = Unit(
        unit="docker.service",
        files=(lives_by(daemon), lives_by(limits)),
        binary="/usr/sbin/dockerd",
        ends_work=not given.docker.live_restore,
    )
    before = (debian.id, overlay.id, *(one.id for one in files), *after)
    # The files come first, so that they are ours and not the package's own first ideas of them.
    return (etc, drop_ins, *files, debian, overlay, resource(PART, "docker.service", unit, before))


def daemon_json(options: Docker, mtu: int) -> str:
    """Give /etc/docker/daemon.json."""
    content: dict[str, object] = {
        "bridge": BRIDGE,
        "exec-opts": [f"native.cgroupdriver={options.cgroup_driver}"],
        "ip-masq": False,
        "iptables": False,
        "live-restore": options.live_restore,
        "log-driver": "json-file",
        "log-opts": {
            "max-file": str(options.logging.max_files),
            "max-size": options.logging.max_size,
        },
        "mtu": mtu,
    }
    if options.runtimes:
        content["default-runtime"] = options.default_runtime
        content["runtimes"] = {
            name: {"path": path} for name, path in sorted(options.runtimes.items())
        }
    return json.dumps(content, indent=2) + "\n"
