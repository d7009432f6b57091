"""Kernel parameters that nodes share with the host, put back when the last lab goes.

A node's kernel is the host's. What follows is not per namespace, and a kubelet or the documents
of a cluster set it. What was there before the first lab is remembered, and handed on from lab
to lab.
"""

from collections.abc import Mapping
from pathlib import Path

SYS = Path("/proc/sys")

# What a kubelet sets (pkg/util/sysctl of Kubernetes 1.20), and what people set for workloads.
SHARED = (
    "fs/file-max",
    "fs/inotify/max_user_instances",
    "fs/inotify/max_user_watches",
    "kernel/keys/root_maxbytes",
    "kernel/keys/root_maxkeys",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/pid_max",
    "vm/max_map_count",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "vm/swappiness",
)


def remember(root: Path = SYS) -> dict[str, str]:
    """Read the shared parameters that this kernel has."""
    return {name: (root / name).read_text() for name in SHARED if (root / name).exists()}


def restore(before: Mapping[str, str], root: Path = SYS) -> tuple[str, ...]:
    """Write back what changed; name it."""
    changed = tuple(
        name
        for name, value in before.items()
        if name in SHARED and (root / name).read_text() != value
    )
    for name in changed:
        (root / name).write_text(before[name])
    return changed
