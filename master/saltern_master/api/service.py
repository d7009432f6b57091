"""What the HTTP API stands on: the questions that core answers, and the values that it gives.

Core implements Service; the API only turns requests into calls and values into JSON. Every
method is called in core's event loop and never blocks it. Times are seconds since 1970, UTC.
A refusal is a ServiceError with a code for programs and a text that says what to do.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal, Protocol

import msgspec

from saltern_master.errors import MasterError

NodeState = Literal["offline", "pending", "joined", "locked", "revoked", "removing", "removed"]
Result = Literal[
    "waiting",  # not yet
    "converged",
    "changed",
    "failed",
    "blocked",
    "refused",
    "unreachable",
    "expired",
    "superseded",
]
"""How a node stands in a turn. All but `waiting` are ends; `unreachable` may still become another
when the node comes back."""

DriftNature = Literal["external", "corrective", "intended"]
"""Whose doing a drift is: somebody else's; the agent's own, in the wake of another that it set
right; somebody else's while the node was held for that."""


PartState = Literal["good", "degraded", "bad", "unknown"]


class ServiceError(MasterError):
    """A request is refused. `code`: not-found, conflict, invalid, unavailable."""

    def __init__(self, code: str, text: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(text)
        self.code = code
        self.faults = faults


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What every answer is."""


class HindranceView(View, frozen=True):
    """A resource that is not as declared, and why."""

    resource: str
    outcome: str
    why: str


class PartView(View, frozen=True):
    """A part of a node: docker, kubelet, clock …"""

    name: str
    state: PartState
    why: str  # "": it is good
    since: float  # by the master's clock


class FindingView(View, frozen=True):
    """A trap that stands open, and what to do about it."""

    trap: str
    what: str
    remedy: str
    bad: bool  # False: it works today


class TermView(View, frozen=True):
    """Whether one term of a target holds on a node, and the value that it has."""

    term: str
    holds: bool
    found: str  # "": the node has none, or it is not known


class HeldView(View, frozen=True):
    """That a node's drift is told and left alone."""

    until: float
    why: str
    by: str  # a person, or "window NAME"
    in_force: bool  # the node was told; else it will be when it comes back


class NodeView(View, frozen=True):
    """A node, as the master knows it."""

    name: str
    node_class: str
    state: NodeState
    fingerprint: str  # of its key, as the node itself prints it
    incarnation: str = ""
    connected: bool = False
    seen_at: float = 0.0  # when it was heard last; of who is connected up to a minute old
    health: str = ""  # as it said last, by the drift that is open now: converged, drifted …
    version: int = 0  # of the document that it has
    wanted: int = 0  # of the document that it shall have
    drift: int = 0  # open
    release: str = ""  # of its agent
    address: str = ""  # from the cluster file
    pods: str = ""  # its range
    roles: tuple[str, ...] = ()
    labels: dict[str, str] = {}  # from the cluster file
    facts: dict[str, object] = {}  # pinned: what compile uses
    facts_now: dict[str, object] = {}  # where they differ from the pinned ones
    load: float = 0.0
    memory_kib: int = 0
    disk_kib: int = 0
    parts: tuple[PartView, ...] = ()  # what others rest on first
    findings: tuple[FindingView, ...] = ()
    hold: HeldView | None = None
    terms: tuple[TermView, ...] = ()  # where a target was asked for


class TokenView(View, frozen=True):
    """A token that was made. The token itself is told once."""

    id: str  # the first 12 digits of its hash
    node: str
    node_class: str
    expires: float
    used: bool
    approval: bool  # it carries no secret: an operator has to approve
    token: str = ""


class TurnNode(View, frozen=True):
    """How one node stands in a turn."""

    node: str
    result: Result
    version: int = 0
    changes: int = 0
    seconds: float = 0.0  # from the turn's beginning to its end here
    why: str = ""
    hindrances: tuple[HindranceView, ...] = ()


class TurnView(View, frozen=True):
    """An apply (or a removal): which revision, and how every targeted node stands."""

    turn: int
    revision: int
    began: float
    ended: float  # 0: not yet
    notes: tuple[str, ...]
    nodes: tuple[TurnNode, ...]


class DriftView(View, frozen=True):
    """One deviation of one resource, with the node's own times."""

    node: str
    number: int
    resource: str
    kind: str
    since: float
    recorded: float
    stored: float  # when it was in the master's store
    seen: str
    found: tuple[str, ...]  # what setting it right would do
    healed: float = 0.0  # 0: it is open
    outcome: str = ""
    id: str = ""  # what it is asked for by: NODE:NUMBER, see records/drift_log.py
    detail: str = ""  # unified diffs of what was there and what is declared
    by: str = ""  # who did it; "": the kernel does not tell
    nature: DriftNature = "external"
    hindrance: str = ""  # why it is not set right, or was not for so long
    attempts: int = 0  # to set it right, of those that its policy counts
    incident: bool = False  # a fight: set right as often as its policy allows, and off again


class AlarmView(View, frozen=True):
    """Something that an operator has to do something about."""

    kind: str  # ahead, descriptors …; with `node`, what it is known by
    node: str  # "": the whole
    since: float
    why: str
    remedy: str
    resource: str = ""  # that it is about, where a node may have several of a kind


class ClusterView(View, frozen=True):
    """How the whole stands: what `saltern status` shows."""

    cluster: str
    revision: int  # 0: nothing was applied yet
    version: str  # of Kubernetes
    nodes: tuple[NodeView, ...]
    kubernetes: dict[str, str] = {}  # what the API server says of itself: ready, or why not
    front: dict[str, int] = {}  # its last Load
    alarms: tuple[AlarmView, ...] = ()


class Service(Protocol):
    """What core does for people."""

    async def status(self) -> ClusterView:
        """Say how the whole stands."""
        ...

    async def node(self, name: str) -> NodeView:
        """Give one node; not-found."""
        ...

    async def make_token(
        self, node: str, node_class: str, seconds: int, approval: bool
    ) -> TokenView:
        """Make a token for a node that shall join; conflict where it has joined already."""
        ...

    async def tokens(self) -> tuple[TokenView, ...]:
        """List the tokens that are neither used nor expired."""
        ...

    async def approve(self, node: str, fingerprint: str) -> NodeView:
        """Let a pending machine in, by the fingerprint that it shows."""
        ...

    async def revoke(self, node: str) -> NodeView:
        """Stop listening to a node's key, from its next message on."""
        ...

    async def unlock(self, node: str) -> NodeView:
        """Listen to a locked node again: one machine alone has its key now. not-found, conflict."""
        ...

    async def remove(self, node: str, force: bool) -> TurnView:
        """Begin to drain a node, take back what stands on it, and forget it; gives the turn.

        One that is not heard (revoked, locked), and any with `force`, is forgotten at once: what
        stands on it stays there.
        """
        ...

    async def apply(self, file: bytes) -> TurnView:
        """Compile, sign and begin to roll out; invalid, with all faults, for a bad file."""
        ...

    async def turn(self, number: int) -> TurnView:
        """Give a turn; not-found."""
        ...

    def follow_turn(self, number: int) -> AsyncIterator[TurnNode | TurnView]:
        """Give each node's new standing as it comes; the TurnView when all have ended."""
        ...

    async def kubeconfig(self, csr: bytes) -> str:
        """Give an administrator's kubeconfig, for a CSR's public key (PEM)."""
        ...
