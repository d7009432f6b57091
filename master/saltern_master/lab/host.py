"""What this machine is, as far as the lab cares, and what it lacks.

Three ways to give a node its cgroups follow from it:

    v1        groups of our own in every hierarchy (with or without systemd on the host)
    v2        one group of our own (no systemd on the host)
    systemd   a transient, delegated service (systemd on the host, cgroup v2): there systemd
              owns the tree and would take controllers away from a group that it did not make
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from saltern_master.lab import cgroups
from saltern_master.lab.errors import LabError

Way = Literal["v1", "v2", "systemd"]

_CAP_SYS_RESOURCE = 24  # include/uapi/linux/capability.h

# Program -> the Debian package that brings it.
PROGRAMS = {
    Path("/usr/bin/apt-get"): "apt",
    Path("/usr/bin/dpkg-deb"): "dpkg",
    Path("/usr/bin/mmdebstrap"): "mmdebstrap",
    Path("/usr/bin/mount"): "mount",
    Path("/usr/bin/nsenter"): "util-linux",
    Path("/usr/bin/systemd-nspawn"): "systemd-container",
    Path("/usr/bin/tar"): "tar",
    Path("/usr/sbin/ip"): "iproute2",
}


@dataclass(frozen=True, slots=True)
class Host:
    """What the machine is: how nodes get their cgroups, and what nodes must do without."""

    way: Way
    trees: tuple[cgroups.Hierarchy, ...]
    may_lower_oom: bool  # CAP_SYS_RESOURCE: without it no oom_score_adj below 0 can be set
    modules: bool  # /lib/modules exists, so nodes can load modules

    def describe(self) -> str:
        """Say in one line what was found."""
        how = {
            "v1": "cgroup v1, a group per node in each hierarchy",
            "v2": "cgroup v2, a group per node",
            "systemd": "cgroup v2 under systemd, a delegated service per node",
        }[self.way]
        oom = "" if self.may_lower_oom else "; no CAP_SYS_RESOURCE, so nodes get a wrapper for runc"
        return how + oom


def choose_way(trees: tuple[cgroups.Hierarchy, ...], *, systemd: bool) -> Way:
    """Choose how nodes get their cgroups."""
    if cgroups.version(trees) == 1:
        return "v1"
    return "systemd" if systemd else "v2"


def has_capability(status: str, number: int) -> bool:
    """Read from the text of /proc/PID/status whether a capability is in the bounding set."""
    line = next(line for line in status.splitlines() if line.startswith("CapBnd:"))
    return bool(int(line.split()[1], 16) >> number & 1)


def find() -> Host:
    """Look at this machine; LabError names everything that is missing, at once."""
    _require()
    trees = cgroups.parse_mountinfo(Path("/proc/self/mountinfo").read_text())
    return Host(
        way=choose_way(trees, systemd=Path("/run/systemd/system").is_dir()),
        trees=trees,
        may_lower_oom=has_capability(Path("/proc/self/status").read_text(), _CAP_SYS_RESOURCE),
        modules=Path("/lib/modules").is_dir(),
    )


def missing_packages() -> tuple[str, ...]:
    """Name the Debian packages that the lab needs and this machine lacks."""
    return tuple(sorted({package for path, package in PROGRAMS.items() if not path.exists()}))


def _require() -> None:
    wrong = []
    if os.geteuid() != 0:
        wrong.append("root is needed (namespaces, mounts, cgroups): use sudo")
    if missing := missing_packages():
        wrong.append(f"packages are missing: apt-get install {' '.join(missing)}")
    if wrong:
        raise LabError(f"cannot run a lab here: {'; '.join(wrong)}")
