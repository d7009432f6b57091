"""Kernel parameters that nodes share with the host, put back when the last lab goes.

A node's kernel is the host's. What follows is not per namespace, and a kubelet or the documents
of a cluster set it; the lab itself raises what many nodes use up together. What was there before
the first lab is remembered, and handed on from lab to lab.
"""

from collections.abc import Iterator, Mapping
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


# The kernel counts both by user, and every node's root is the host's. What runs on a node needs
# some ten instances and thousands of watches: systemd, the agent, docker, a kubelet, a cAdvisor.
INOTIFY = {"fs/inotify/max_user_instances": 8192, "fs/inotify/max_user_watches": 524_288}


def raise_inotify(root: Path = SYS) -> Iterator[str]:
    """Let all nodes together watch files; tell what was raised, and what may not be."""
    for name, least in INOTIFY.items():
        path = root / name
        if not path.exists() or (before := int(path.read_text())) >= least:
            continue
        shown = name.replace("/", ".")
        try:
            path.write_text(f"{least}\n")
        except OSError as error:
            yield (
                f"cannot raise {shown} from {before}: {error.strerror}; nodes share it, and where "
                f"it runs out they do not notice changes at once: set it to {least} yourself"
            )
        else:
            yield f"{shown} is raised from {before} to {least} until the last lab is down"


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
