"""Which tests run in one process, where several processes run them side by side.

A lab is a module's own. The cluster's modules share a cluster that takes more than a minute to
make: they stay together. (pytest-xdist's own groups are names that it puts after a test's, which
pytest 9.2 passes over.)
"""

from __future__ import annotations

from typing import Final

from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]  # it has no types

CLUSTER: Final = "tests/cluster/"


class Sides(LoadFileScheduling):  # type: ignore[misc]  # of no type
    """By file, and all of the cluster's in one."""

    def _split_scope(self, nodeid: str) -> str:
        return CLUSTER if nodeid.startswith(CLUSTER) else super()._split_scope(nodeid)
