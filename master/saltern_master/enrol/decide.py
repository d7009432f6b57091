"""A machine asks at the door: let in, told to wait, or refused. Pure.

In this order, and the first that stands against it decides:

    protocol     it speaks another version than we do
    malformed    its facts cannot be read, or nothing can be sealed to its key
    revoked      its key was revoked: it never comes back, whatever the token
    other-name   its key is another node's
    token        its token is unknown, expired, used by another key, or for another name. One code
                 and one text for all: a stranger does not learn which
    name-taken   its secret is good, and the name has joined meanwhile
    too-many     it has no secret, and MOST_PENDING others wait for this name already

* The same key with the same token gets the same answer, for as long as that node is joined: the
  first answer may have been lost.
* `why` of a decision is for the log; what a stranger hears is the answer alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from saltern_protocol.documents import encode_identity
from saltern_protocol.messages import PROTOCOL, Enrol, Enrolled, Refused, Waiting
from saltern_protocol.sealed import is_recipient

from saltern_master.compile.facts import FactsError
from saltern_master.compile.facts import read_facts as read_known_facts
from saltern_master.enrol.admit import Machine, admit
from saltern_master.enrol.standing import Standing, shown
from saltern_master.enrol.tokens import is_good
from saltern_master.records.codec import put
from saltern_master.records.nodes import Node, Pending, pending_key, read_facts
from saltern_master.records.tokens import Token
from saltern_master.signing.documents import identity_of
from saltern_master.store import Write

MOST_PENDING = 16
IS_IN = frozenset({"joined", "locked", "removing"})

TEXTS = {
    "protocol": f"it speaks another version than {PROTOCOL}; install the release of the master",
    "malformed": (
        "the facts or the sealing key of this machine cannot be used; install the release of the "
        "master"
    ),
    "revoked": (
        "the key of this machine was revoked; remove link.key and sealing.key in its /etc/saltern, "
        "then give the same command again: the token was not used"
    ),
    "other-name": "the key of this machine is another node's; remove that node first",
    "token": (
        "this token is not known, has expired, was used, or is for another name; make a new one: "
        "saltern node token NAME"
    ),
    "name-taken": "a machine of this name has joined already; revoke or remove that node first",
    "too-many": "too many machines wait to be approved for this name; let the operator see to them",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """What every identity of a cluster says."""

    name: str
    root: bytes  # the envelope


@dataclass(frozen=True, slots=True)
class Decision:
    """What a machine is answered, after the writes are committed."""

    answer: Enrolled | Waiting | Refused
    writes: tuple[Write, ...] = ()
    joined: Node | None = None
    """The node that it became by this; None where nothing changed."""
    why: str = ""


def decide(
    enrol: Enrol, standing: Standing, cluster: Cluster, now: float, incarnation: str
) -> Decision:
    """Decide on one Enrol. `incarnation`: 32 random digits, for if it becomes a node."""
    if enrol.protocol != PROTOCOL:
        return _refused("protocol", f"it speaks protocol {enrol.protocol}")
    machine = _machine(enrol)
    if machine is None:
        return _refused("malformed", "its facts or its sealing key cannot be used")
    return _against_key(standing) or _by_token(standing, machine, cluster, now, incarnation)


def _by_token(
    standing: Standing, machine: Machine, cluster: Cluster, now: float, incarnation: str
) -> Decision:
    token, node = standing.token.value, standing.node.value
    if token is None or token.node != standing.name:
        return _refused("token", "its token is not known, or for another name")
    if node is not None and token.used_by == standing.key == node.key and node.state in IS_IN:
        return Decision(_enrolled(node, cluster), why="it was told so before")
    if not is_good(token, now):
        return _refused("token", "its token was used" if token.used_by else "its token has expired")
    if token.approval:
        return _wait(standing, token, machine, now)
    return _let_in(standing, token, machine, cluster, now, incarnation)


def _against_key(standing: Standing) -> Decision | None:
    owner = standing.owner.value
    if owner is not None and owner.revoked:
        return _refused("revoked", f"its key was revoked as {owner.node}'s")
    if owner is not None and owner.node != standing.name:
        return _refused("other-name", f"its key is {owner.node}'s")
    return None


def _let_in(
    standing: Standing,
    token: Token,
    machine: Machine,
    cluster: Cluster,
    now: float,
    incarnation: str,
) -> Decision:
    node = standing.node.value
    if node is not None and node.state in IS_IN:
        return _refused("name-taken", f"{node.name} is {node.state}")
    admitted = admit(standing, token, machine, now, incarnation)
    return Decision(_enrolled(admitted.node, cluster), admitted.writes, admitted.node, "by token")


def _wait(standing: Standing, token: Token, machine: Machine, now: float) -> Decision:
    """Note who waits; what it tells of itself may have changed since it first asked."""
    waiting = [one for one in standing.pending if one.value is not None and one.value.expires > now]
    before = next(
        (one.value for one in waiting if one.value and one.value.key == standing.key), None
    )
    if before is None and len(waiting) >= MOST_PENDING:
        return _refused("too-many", f"{len(waiting)} machines wait for {standing.name}")
    pending = Pending(
        node=standing.name,
        node_class=token.node_class,
        key=standing.key,
        sealing=machine.sealing,
        facts=machine.facts,
        kinds=machine.kinds,
        release=machine.release,
        asked=before.asked if before is not None else now,
        expires=token.expires,
    )
    writes: tuple[Write, ...] = ()
    if pending != before:
        at = pending_key(standing.name, standing.key)
        writes = (standing.token.expected, standing.owner.expected, put(at, pending))
    return Decision(Waiting(fingerprint=shown(standing.key)), writes, why="it has to be approved")


def _machine(enrol: Enrol) -> Machine | None:
    """Read what it tells of itself; None where compile could not use it."""
    if not is_recipient(enrol.sealing):
        return None
    try:
        facts = read_facts(enrol.facts)
        if facts:
            read_known_facts(msgspec.json.encode(facts), "the facts of a machine")
    except (ValueError, FactsError):
        return None
    return Machine(enrol.sealing.hex(), facts, enrol.kinds, enrol.release)


def _enrolled(node: Node, cluster: Cluster) -> Enrolled:
    return Enrolled(identity=encode_identity(identity_of(node, cluster.name, cluster.root)))


def _refused(reason: str, why: str) -> Decision:
    return Decision(Refused(reason=reason, why=TEXTS[reason]), why=f"{reason}: {why}")
