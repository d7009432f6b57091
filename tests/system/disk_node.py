"""A node whose files lie below a directory of the test's own, and whose kernel is this one."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from saltern_agent.host.beneath import Root
from saltern_agent.host.blobs import DiskBlobs
from saltern_agent.host.disk import DiskFiles
from saltern_agent.host.hashes import Hashes
from saltern_agent.host.kernel import KernelModules, KernelSwaps, ProcSysctls
from saltern_agent.host.trees import DiskTrees
from saltern_states.contract import Blocked, Kind, Spec
from saltern_states.ports import Host


@dataclass(frozen=True)
class Node:
    """The ports of a node that concern files and the kernel."""

    files: DiskFiles
    trees: DiskTrees
    blobs: DiskBlobs
    sysctls: ProcSysctls
    modules: KernelModules
    swaps: KernelSwaps


def node_below(top: Path, blobs: Path, hashes: Hashes | None = None) -> Host:
    """Make one; whoever asks it for links or units has asked the wrong one."""
    root, hashes = Root(top), hashes or Hashes()
    store = DiskBlobs(blobs, hashes=hashes)
    node = Node(
        files=DiskFiles(store, root, hashes),
        trees=DiskTrees(store, root, hashes),
        blobs=store,
        sysctls=ProcSysctls(),
        modules=KernelModules(),
        swaps=KernelSwaps(),
    )
    return cast(Host, node)


def converge(kind: Kind[Any, Any, Any], host: Host, want: Spec) -> list[str]:
    """Plan, apply, plan again: nothing may be left. Give the plan's lines."""
    planned = kind.plan(host, want)
    for change in planned:
        assert not isinstance(change, Blocked), change
        kind.apply(host, change)
    assert kind.plan(host, want) == ()
    return [str(change) for change in planned]


def take_back(kind: Kind[Any, Any, Any], host: Host, want: Spec) -> list[str]:
    """The same for the removal."""
    planned = kind.plan_removal(host, want)
    for change in planned:
        assert not isinstance(change, Blocked), change
        kind.apply(host, change)
    assert kind.plan_removal(host, want) == ()
    return [str(change) for change in planned]


Snapshot = dict[str, tuple[str, int, int, str]]


def snapshot(top: Path) -> Snapshot:
    """Give type, mode, owner, group and content of all that is in a tree, by other means."""
    taken: Snapshot = {}
    for path in (top, *top.rglob("*")):
        found = path.lstat()
        content = ""
        if stat.S_ISREG(found.st_mode):
            content = sha256(path.read_bytes()).hexdigest()
        elif stat.S_ISLNK(found.st_mode):
            content = os.readlink(path)
        mode = stat.filemode(found.st_mode)
        taken[str(path.relative_to(top))] = (mode, found.st_uid, found.st_gid, content)
    return taken


def differences(before: Snapshot, after: Snapshot) -> set[str]:
    """Name what came, went or changed."""
    names = before.keys() | after.keys()
    return {name for name in names if before.get(name) != after.get(name)}
