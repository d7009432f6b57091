"""What is asked of the API: bodies, queries and the names in paths.

What people and programs write is read strictly: an unknown field is an error, and every text
and number has bounds.
"""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta
from saltern_protocol.terms import Name

from saltern_master.api.problem import Problem
from saltern_master.api.service import DriftView, TurnNode, TurnView, View

KIB: Final = 1024
MOST_JSON: Final = 16 * KIB
MOST_CSR: Final = 16 * KIB
MOST_CLUSTER_FILE: Final = 4 * KIB * KIB
LONGEST_TOKEN: Final = 30 * 24 * 3600

MaybeName = Annotated[str, Meta(pattern=r"^([a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?)?\Z")]
NodeClass = Annotated[str, Meta(pattern=r"^[a-z]([a-z0-9-]{0,30}[a-z0-9])?\Z")]
Fingerprint = Annotated[str, Meta(min_length=1, max_length=200)]


class Asking(View, frozen=True, forbid_unknown_fields=True):
    """What every question is."""


class NodePath(Asking, frozen=True):
    """Which node."""

    name: Name


class NodeQuery(Asking, frozen=True):
    """Which nodes: see targeting.py; explain: all nodes, each with what the target finds there."""

    target: Annotated[str, Meta(max_length=4096)] = ""
    explain: bool = False


class TurnPath(Asking, frozen=True):
    """Which turn."""

    number: Annotated[int, Meta(ge=0, le=2**53)]


class NewToken(Asking, frozen=True):
    """A token for a node that shall join. Seconds: how long it can be used."""

    node: Name
    node_class: NodeClass = "worker"
    seconds: Annotated[int, Meta(ge=1, le=LONGEST_TOKEN)] = 3600
    approval: bool = False


class Approval(Asking, frozen=True):
    """The fingerprint that the machine itself shows."""

    fingerprint: Fingerprint


class Removal(Asking, frozen=True):
    """Force: forget the node at once, and take nothing back."""

    force: bool = False


class Kubeconfig(View, frozen=True):
    """An administrator's kubeconfig (YAML). It lacks `client-key-data`: who asked has the key."""

    kubeconfig: str


class NodeEvent(View, frozen=True, tag_field="event", tag="node"):
    """A node's new standing in a turn."""

    node: TurnNode


class TurnEvent(View, frozen=True, tag_field="event", tag="turn"):
    """All nodes of a turn have ended. The last line."""

    turn: TurnView


class DriftEvent(View, frozen=True, tag_field="event", tag="drift"):
    """Drift was stored, or has ended."""

    drift: DriftView


class ProblemEvent(View, frozen=True, tag_field="event", tag="problem"):
    """The stream cannot go on. The last line."""

    problem: Problem
