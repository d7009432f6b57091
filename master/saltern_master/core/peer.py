"""A peer: a node that may speak, what is wanted of it, and what its connection has told. Frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from saltern_protocol.messages import Health

from saltern_master.core.held import InForce
from saltern_master.core.instances import Instances
from saltern_master.core.signer import Subject
from saltern_master.records.codec import Held
from saltern_master.records.condition import Condition
from saltern_master.records.documents import Issued
from saltern_master.records.drift import Open
from saltern_master.records.nodes import Node
from saltern_master.signing.documents import Proposed

IS_LOCKED: Final = "it is locked: two machines have its key; see saltern status"


@dataclass(frozen=True, slots=True)
class Session:
    """What a node said of itself since it connected. A new connection starts afresh."""

    greeted: bool = False  # its Hello fits what its key stands for
    root: int = 1  # the newest root that it believes
    held: int = 0  # the version on its disk
    epoch: int = 0  # and the epoch that this version is of
    document: bytes = b""  # and that document's hash; empty: none, or not known
    boot: str = ""
    declined: tuple[int, int] = (0, 0)  # epoch and version of the last document that it refused
    hold: InForce | None = None  # as its last lease says


@dataclass(frozen=True, slots=True)
class Offered:
    """What a node is asked to plan, and for which of core's plans."""

    plan: int
    turn: int  # what a node is told in its place: a number of this core's own
    proposed: Proposed


@dataclass(frozen=True, slots=True)
class Peer:
    """One node. `held`: its record, with the revision that it was read or written at."""

    held: Held[Node]
    document: Issued | None = None  # the one that it shall have
    turn: int = 0  # the newest turn that waits for its word, or would still take it; 0: none
    offered: Offered | None = None  # the open plan that waits for its word
    hold: InForce | None = None  # what its drift is left alone for; it may be over (holding.py)
    session: Session = Session()
    instances: Instances = field(default_factory=Instances)
    health: Health | None = None
    condition: Condition | None = None  # the last that it told
    condition_kept: Condition | None = None  # the one in the store
    heard: float = 0.0
    spoke: float = 0.0  # when the front heard anything last, known once its connection is gone
    wedged: float = 0.0  # since when its link is up and its agent says nothing; 0: it is not so
    health_kept: float = 0.0
    reported: int = 0  # up to which item its word is kept
    drift: Open = field(default_factory=dict)  # by resource

    @property
    def node(self) -> Node:
        """Its record."""
        if self.held.value is None:
            raise AssertionError("a peer has a record")
        return self.held.value

    @property
    def subject(self) -> Subject:
        """Whom to sign for."""
        return Subject(self.node.name, self.node.node_class, self.node.incarnation)

    @property
    def is_behind(self) -> bool:
        """Whether there is a newer document than it has."""
        document, session = self.document, self.session
        if document is None:
            return False
        return (document.epoch, document.version) > (session.epoch, session.held)

    @property
    def declines(self) -> bool:
        """Whether it has refused the document that it shall have."""
        document, declined = self.document, self.session.declined
        return document is not None and declined == (document.epoch, document.version)

    @property
    def took_back(self) -> bool:
        """Whether it took back the very document that it shall have: it is the newest it has seen,
        and what it holds is the one before."""
        document, session, health = self.document, self.session, self.health
        if document is None or health is None or self.is_ahead:
            return False
        newest = (session.epoch, session.held) == (document.epoch, document.version)
        return newest and health.state == "taken back"

    def held_by(self, now: float) -> InForce | None:
        """Give what holds it now."""
        return _open(self.hold, now)

    def knows_hold(self, now: float) -> bool:
        """Whether its last lease says what holds it. That one ended it knows by itself."""
        return _open(self.session.hold, now) == _open(self.hold, now)

    def lags(self, root: int) -> bool:
        """Whether it believes an older root than this one: it is given those in between."""
        return self.session.greeted and self.session.root < root

    @property
    def is_ahead(self) -> bool:
        """Whether it has what this store does not know: the store is an older copy."""
        session, document = self.session, self.document
        if document is None:
            return session.held > 0
        held, ours = (session.epoch, session.held), (document.epoch, document.version)
        other = session.document not in (b"", bytes.fromhex(document.document))
        return held > ours or (held == ours and other)


def _open(hold: InForce | None, now: float) -> InForce | None:
    return hold if hold is not None and hold.until > now else None
