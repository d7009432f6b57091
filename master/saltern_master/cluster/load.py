"""The bytes of a cluster file -> Cluster, or every fault at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from saltern_master.cluster.check import check
from saltern_master.cluster.faults import ClusterFileError, Fault, Path
from saltern_master.cluster.model import Cluster
from saltern_master.cluster.shape import BAD, Reading, read
from saltern_master.cluster.source import lines, parse


@dataclass(frozen=True, slots=True)
class ClusterFile:
    """What a cluster file says, and the line of every path in it."""

    cluster: Cluster
    lines: Mapping[Path, int]


def load(data: bytes) -> ClusterFile:
    """Read a cluster file; ClusterFileError tells all that is wrong, each with path and line."""
    tree = parse(data)
    where = dict(lines(tree))
    reading = Reading()
    cluster = read(tree, Cluster, (), reading)
    faults = [*reading.faults, *(located(where, path, text) for path, text in check(reading))]
    if faults:
        raise ClusterFileError(faults)
    if cluster is BAD:
        raise AssertionError("a value is bad only by a fault")
    return ClusterFile(cluster, where)


def located(where: Mapping[Path, int], path: Path, text: str) -> Fault:
    """Give a fault its line: that of the path, or of the nearest thing above it that is there."""
    near = path
    while near and near not in where:
        near = near[:-1]
    return Fault(path, where.get(near, 0), text)
