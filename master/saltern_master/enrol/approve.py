"""An operator lets a machine in by its fingerprint, shuts a node out, or forgets one. Pure.

* A fingerprint names one machine of those that wait for a name; an operator reads it on the
  machine itself, so nobody who merely knows the name comes in.
* A revoked key stays revoked; a key that was forgotten may join anew, by a new token; but not that
  of a node that is forgotten while it is locked: two machines have it.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from saltern_master.enrol.admit import Admitted, Machine, admit, forgotten
from saltern_master.enrol.decide import IS_IN
from saltern_master.enrol.standing import EnrolError, Standing, shown
from saltern_master.enrol.tokens import is_good
from saltern_master.records.nodes import Node, Owner, Pending
from saltern_master.store import Delete, Write

REVOKED = "its node was revoked"
REMOVED = "its node was removed"


def find_pending(waiting: Iterable[Pending], name: str, fingerprint: str, now: float) -> Pending:
    """Find the machine that an operator means. EnrolError not-found tells who does wait."""
    here = [one for one in waiting if one.node == name and one.expires > now]
    wanted = _digits(fingerprint)
    for one in here:
        if _digits(shown(one.key)) == wanted:
            return one
    listed = ", ".join(sorted(shown(one.key) for one in here)) or "none"
    raise EnrolError(
        "not-found",
        f"cannot approve {name}: no machine with the fingerprint {fingerprint} waits for that name "
        f"(waiting: {listed}); compare with what saltern-agent join shows on the machine",
    )


def approve(pending: Pending, standing: Standing, now: float, incarnation: str) -> Admitted:
    """Let a waiting machine in. EnrolError conflict, where the name or its key is taken by now."""
    token, node, owner = standing.token.value, standing.node.value, standing.owner.value
    if node is not None and node.state in IS_IN:
        raise _conflict(standing.name, "a machine of this name has joined; revoke or remove it")
    if owner is not None:
        was = "was revoked" if owner.revoked else "belongs to that node"
        raise _conflict(standing.name, f"the key of this machine {was} ({owner.node})")
    if token is None or not is_good(token, now):
        raise _conflict(standing.name, "its token was used or has expired; make a new one")
    machine = Machine(pending.sealing, pending.facts, pending.kinds, pending.release)
    return admit(standing, token, machine, now, incarnation)


def revoke(standing: Standing, now: float) -> tuple[Node, tuple[Write, ...]]:
    """Shut a node out: give its new record and the writes, none where it is done. EnrolError."""
    node = standing.node.value
    if node is None or not node.key or node.state == "removed":
        raise EnrolError(
            "not-found",
            f"cannot revoke {standing.name}: no machine has joined by that name; "
            "saltern node list shows who has",
        )
    if node.state == "revoked":
        return node, ()
    after = replace(node, state="revoked")
    return after, (
        *standing.node.replaced(after),
        *standing.owner.replaced(Owner(node=node.name, revoked=True)),
        *forgotten(standing, now, REVOKED),
    )


def unlock(standing: Standing) -> tuple[Node, tuple[Write, ...]]:
    """Let a locked node speak again. EnrolError conflict: it is not locked."""
    node = standing.node.value
    if node is None or node.state != "locked":
        state = node.state if node is not None else "not there"
        raise EnrolError("conflict", f"cannot unlock {standing.name}: it is {state}, not locked")
    after = replace(node, state="joined", locked_at=0.0)
    return after, standing.node.replaced(after)


def remove(standing: Standing, now: float) -> tuple[Node, tuple[Write, ...]]:
    """Forget a node whose work is taken back; its record stays, as removed. EnrolError."""
    node = standing.node.value
    if node is None or node.state == "removed":
        raise EnrolError("not-found", f"cannot remove {standing.name}: there is no such node")
    owner = standing.owner.value
    freed = owner is not None and not owner.revoked and owner.node == node.name
    after = Node(
        name=node.name,
        node_class=node.node_class,
        state="removed",
        incarnation=node.incarnation,
        enrolled_at=node.enrolled_at,
    )
    return after, (
        *standing.node.replaced(after),
        *(_let_go(standing, node) if freed else ()),
        *(Delete(one.key) for one in standing.pending),
        *forgotten(standing, now, REMOVED),
    )


def _let_go(standing: Standing, node: Node) -> tuple[Write, ...]:
    if node.state == "locked":
        return standing.owner.replaced(Owner(node=node.name, revoked=True))
    return standing.owner.deleted()


def _digits(fingerprint: str) -> str:
    return fingerprint.replace("-", "").replace(":", "").strip().lower()


def _conflict(name: str, text: str) -> EnrolError:
    return EnrolError("conflict", f"cannot approve {name}: {text}")
