"""Status: what the agent is and knows, as one value that anybody on the node's root may ask for."""

from __future__ import annotations

import msgspec
from saltern_protocol.errors import printable

from saltern_agent.drift_record import Drift
from saltern_agent.keeper import Keeper


class Hindrance(msgspec.Struct, frozen=True):
    """A resource that is not as declared, and why."""

    resource: str
    outcome: str  # failed, blocked
    why: str


class HoldStatus(msgspec.Struct, frozen=True):
    """Drift is told and left alone."""

    until: float
    why: str
    by: str


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """The node's state as the keeper knew it after its last job. Times are Unix seconds."""

    cluster: str
    node: str
    state: str  # no document, unreadable document, converged, not converged, drifted
    version: int | None = None
    epoch: int | None = None
    expires: int | None = None
    root: int | None = None  # the version that this node believes
    root_expires: int | None = None  # then it takes no new document, and holds what it has
    policy: int | None = None
    policy_expires: int | None = None  # the same
    body: str = ""  # SHA-256
    resources: int = 0
    changes: int = 0  # of the last converge
    hindrances: tuple[Hindrance, ...] = ()
    drift: tuple[Drift, ...] = ()  # open
    hold: HoldStatus | None = None  # in force: no drift is set right
    trouble: str = ""  # what the agent itself lacks: a journal that can be written
    confirm_by: float = 0.0  # a lease has to come until then, or the document is taken back
    taken_back: str = ""  # why another body is held than the newest document's
    restored: int = 0  # changes that the last boot asked for
    looks: int = 0
    looked: float = 0.0
    look_milliseconds: float = 0.0
    look_cpu_milliseconds: float = 0.0


class LinkStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How the link to the master stands. Times are Unix seconds; 0: none."""

    master: str  # address and port
    state: str  # away, opening, greeting, up
    since: float
    why: str = ""  # it is not up
    lease_until: float = 0.0
    unacked: int = 0  # items in the outbox
    fetching: str = ""
    ignored: int = 0  # messages out of turn
    malformed: int = 0


def status_of(keeper: Keeper) -> Status:
    """Say how things stand."""
    document, last = keeper.document, keeper.last
    drift = tuple(keeper.ledger.open.values())
    bad = last.bad if last else ()
    if document is None:
        return Status(
            cluster=keeper.identity.cluster,
            node=keeper.identity.node,
            state="unreadable document" if keeper.trouble else "no document",
            trouble=keeper.trouble or keeper.ledger.trouble,
        )
    root, policy = (keeper.trust.root, keeper.trust.policy) if keeper.trust else (None, None)
    held = "taken back" if keeper.back else "converged"
    left, now = keeper.trying.left(), keeper.clock()
    state = "drifted" if drift else "not converged" if bad else held
    return Status(
        cluster=document.cluster,
        node=document.node,
        state=state,
        version=document.version,
        epoch=document.epoch,
        expires=document.expires,
        root=root.version if root else None,
        root_expires=root.expires if root else None,
        policy=policy.version if policy else None,
        policy_expires=policy.expires if policy else None,
        body=document.body.hex(),
        resources=len(keeper.body.resources),
        changes=last.changes if last else 0,
        hindrances=tuple(
            Hindrance(one.step.resource.id, one.outcome, printable(one.why)) for one in bad
        ),
        confirm_by=now + left if left else 0.0,
        taken_back=keeper.back,
        drift=drift,
        hold=_hold(keeper),
        trouble=keeper.ledger.trouble,
    )


def _hold(keeper: Keeper) -> HoldStatus | None:
    held = keeper.holding.current()
    return HoldStatus(held.until, printable(held.why), printable(held.by)) if held else None
