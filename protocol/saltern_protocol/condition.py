"""How a node is: its parts, each good or not and why, and the traps that stand open on it.

What a node tells of itself is shown and never interpreted: nothing here is a path that is opened
or a command that is run. The master names findings of its own (the cluster file, two nodes that
look the same) in the same form.
"""

from __future__ import annotations

from enum import StrEnum, unique
from typing import Annotated, Final

from msgspec import Meta, Struct

from saltern_protocol.terms import Micro

MAX_PARTS: Final = 32
MAX_FINDINGS: Final = 64

PARTS: Final = frozenset(
    {
        "machine",
        "disk",
        "clock",
        "docker",
        "kubelet",
        "kube-proxy",
        "etcd",
        "static-pods",
        "certificates",
    }
)
"""All that agents of this release tell (docs/explanation/health.md)."""

PartName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}\Z")]
TrapName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,63}\Z")]
Words = Annotated[str, Meta(max_length=1024)]


@unique
class State(StrEnum):
    """How a part is."""

    GOOD = "good"
    DEGRADED = "degraded"  # it does its work, and will not for long, or not all of it
    BAD = "bad"
    UNKNOWN = "unknown"  # it cannot be told


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One part of a node: docker, kubelet, clock, certificates … and how it is."""

    name: PartName
    state: State
    why: Words = ""  # "" only where it is good
    since_us: Micro  # microseconds since 1970, by the node's clock: since when it is so


class Finding(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One trap that stands open."""

    trap: TrapName  # forward-drop, swap-on …: one word for one trap, for ever
    what: Words  # what was found, with its names and numbers
    remedy: Words  # what to do
    bad: bool = True  # False: it works today and is known to bite later
