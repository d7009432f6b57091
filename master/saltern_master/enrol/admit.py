"""A machine becomes a node: what is written, whether a token's secret or an operator let it in.

One commit makes the token used, the key somebody's, and the node's record anew: a new incarnation,
no version, nothing of who had the name before but that key, if it was revoked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from saltern_master.enrol.standing import Standing
from saltern_master.records.condition import condition_key
from saltern_master.records.documents import document_key
from saltern_master.records.drift import end_all, writes_of
from saltern_master.records.health import health_key
from saltern_master.records.nodes import Node, Owner
from saltern_master.records.reports import result_key
from saltern_master.records.tokens import Token
from saltern_master.store import Delete, Write

REPLACED = "its node began anew"


@dataclass(frozen=True, slots=True)
class Machine:
    """What a machine told of itself."""

    sealing: str  # X25519, 64 digits
    facts: Mapping[str, object]
    kinds: tuple[str, ...]
    release: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A new node, and the writes that make it one."""

    node: Node
    writes: tuple[Write, ...]


def admit(
    standing: Standing, token: Token, machine: Machine, now: float, incarnation: str
) -> Admitted:
    """Let a machine in. Whether it may be is decided by the caller."""
    node = Node(
        name=standing.name,
        node_class=token.node_class,
        state="joined",
        incarnation=incarnation,
        key=standing.key,
        sealing=machine.sealing,
        facts=machine.facts,
        facts_now=machine.facts,
        kinds=machine.kinds,
        release=machine.release,
        enrolled_at=now,
    )
    used = replace(token, used_by=standing.key, used_at=now)
    return Admitted(
        node,
        (
            *standing.token.replaced(used),
            *standing.node.replaced(node),
            *standing.owner.replaced(Owner(node=node.name)),
            *(Delete(one.key) for one in standing.pending),
            *forgotten(standing, now, REPLACED),
        ),
    )


NODE_KEYS: Final = (document_key, health_key, condition_key, result_key)


def forgotten(standing: Standing, now: float, why: str) -> tuple[Write, ...]:
    """Give the writes that end what is known of a name's machine: its documents, health, drift."""
    return (
        *(Delete(at(standing.name)) for at in NODE_KEYS),
        *writes_of(end_all(standing.drift, now, why)),
    )
