"""Which nodes a target means, of those that a cluster file names. Pure.

Roles and labels are those of the file that is asked about, not of the one that was applied: it is
about what shall be. State, release and facts are the node's own.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from saltern_master.api.service import ServiceError
from saltern_master.cluster.model import Node
from saltern_master.core.peer import Peer
from saltern_master.core.prepare import Prepared
from saltern_master.subjects import Subject
from saltern_master.targeting import TargetError, choose


def meant(
    prepared: Prepared, peers: Mapping[str, Peer], gone: Container[str], target: str
) -> frozenset[str]:
    """Name them; ServiceError "invalid", with all faults, for a bad target."""
    classes = {name: one.node_class for name, one in prepared.nodes.items()}
    classes |= prepared.left_out
    if not target.strip():
        return frozenset(classes)
    described = {one.name: one for one in prepared.cluster.nodes}
    subjects = [
        subject_of(name, node_class, described.get(name), peers.get(name), name not in gone)
        for name, node_class in sorted(classes.items())
    ]
    try:
        return frozenset(choose(target, subjects))
    except TargetError as error:
        head = str(error).partition("\n")[0]  # the faults stand beside it
        raise ServiceError("invalid", head, error.faults) from error


def subject_of(
    name: str, node_class: str, described: Node | None, peer: Peer | None, here: bool
) -> Subject:
    """Give what a target can ask of a node: as a cluster file has it, and as it told itself."""
    bare = Subject(name, node_class)
    if described is not None:
        bare = Subject(name, node_class, described.roles, described.labels)
    if peer is None:
        return bare
    node = peer.node
    return Subject(
        name,
        node_class,
        bare.roles,
        bare.labels,
        state=node.state,
        connected=here,
        release=node.release,
        facts={**node.facts, **node.facts_now},
    )
