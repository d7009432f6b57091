"""Accept: from a statement's bytes to a body that this node may be held to. Pure.

The journal keeps the last accepted statement whole, so all that must not fall (root, policy,
document) is found again by walking it once more; there is no second copy to disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from saltern_protocol.documents import (
    Document,
    Identity,
    PayloadType,
    Statement,
    decode_statement,
)
from saltern_protocol.errors import MalformedError, Reason, RefusedError
from saltern_protocol.trust import Accepted as Floor
from saltern_protocol.trust import Trust, keep_roots, refuse_other_body
from saltern_states.body import Body, BodyError, read_body

from saltern_agent.journal import Accepted
from saltern_agent.way_back import WayBack


@dataclass(frozen=True, slots=True)
class Believed:
    """A document that this node believes, and what it may not fall below from now on."""

    document: Document
    trust: Trust
    floor: Floor
    statement: Statement


@dataclass(frozen=True, slots=True)
class Taken:
    """A believed document with its body, which this node knows how to hold."""

    document: Document
    body: Body
    statement: Statement
    trust: Trust


def proposed(identity: Identity, accepted: Accepted | None, data: bytes, now: float) -> Taken:
    """Verify a statement against all that was accepted before.

    Raises MalformedError, RefusedError or BodyError, each with what to do; then nothing of it
    may be used. Of what was accepted before only the signatures count here: a body that this
    release cannot read must not keep a good one out.
    """
    new, before = decode_statement(data), _before_or_none(identity, accepted)
    trust, floor = (before.trust, before.floor) if before else (Trust.pin(identity), None)
    taken = _read(_believe(trust, new, identity, floor, now), identity)
    if before is None:
        return taken
    # Whoever carries a statement could leave roots out; what was walked once is never unlearned.
    return replace(taken, statement=keep_roots(before.statement, new))


def considered(identity: Identity, accepted: Accepted | None, data: bytes, now: float) -> Body:
    """Verify a proposal, which stands where a statement has its document; give its body to plan.

    Only the body is given: there is nothing here that could be kept or applied.
    """
    new = decode_statement(data)
    document = expected(identity, accepted, new, PayloadType.PROPOSAL, now)
    refuse_other_body(document, new.body)
    trust = standing(identity, accepted)[0].follow(new)
    return _permitted(trust, new.body, identity)


def expected(
    identity: Identity,
    accepted: Accepted | None,
    offered: Statement,
    payload_type: PayloadType,
    now: float,
) -> Document:
    """Verify all of an offer but its body, which is yet to be fetched. Errors as proposed().

    A proposal may be as old as it likes: it is never kept, so nothing can fall back by it.
    """
    before = _before_or_none(identity, accepted)
    trust = (before.trust if before else Trust.pin(identity)).follow(offered)
    floor = before.floor if before and payload_type is PayloadType.DOCUMENT else None
    return trust.expect(payload_type, offered.document, identity, floor, int(now))[0]


def standing(identity: Identity, accepted: Accepted | None) -> tuple[Trust, Floor | None]:
    """Give what this node believes as of what it accepted, and which document that was."""
    before = _before_or_none(identity, accepted)
    return (before.trust, before.floor) if before else (Trust.pin(identity), None)


def current(identity: Identity, accepted: Accepted) -> Taken:
    """Read what was accepted before, as of that time: it stays in force when it expires.

    BodyError or RefusedError: it was written for another release of the agent.
    """
    return _read(_before(identity, accepted), identity)


def refuse_taken_back(why: str, offered: Document, tried: Document | None) -> None:
    """RefusedError where a document is the very one that was taken back, `why` it was."""
    if why and offered == tried:
        raise RefusedError(
            Reason.ROLLBACK,
            f"version {offered.version} was {why}",
        )


def held_before(identity: Identity, way: WayBack) -> tuple[Document | None, Body]:
    """Read what this node was held to before its newest document; errors as current().

    No document: it was held to nothing.
    """
    if way.statement is None:
        return None, Body()
    taken = current(identity, Accepted(way.statement, unfinished=False, at=way.at))
    return taken.document, taken.body


def _before_or_none(identity: Identity, accepted: Accepted | None) -> Believed | None:
    return None if accepted is None else _before(identity, accepted)


def _before(identity: Identity, accepted: Accepted) -> Believed:
    statement = decode_statement(accepted.statement)
    return _believe(Trust.pin(identity), statement, identity, None, accepted.at)


def _believe(
    trust: Trust, statement: Statement, identity: Identity, floor: Floor | None, now: float
) -> Believed:
    trust = trust.follow(statement)
    document, entry = trust.accept(statement.document, statement.body, identity, floor, int(now))
    return Believed(document, trust, entry, statement)


def _read(believed: Believed, identity: Identity) -> Taken:
    body = _permitted(believed.trust, believed.statement.body, identity)
    return Taken(believed.document, body, believed.statement, believed.trust)


def _permitted(trust: Trust, data: bytes, identity: Identity) -> Body:
    try:
        body = read_body(data)
    except MalformedError as error:
        raise BodyError((str(error),)) from error
    trust.permit(identity, [claim for one in body.resources for claim in one.claims])
    return body
