"""Accept: from a statement's bytes to a body that this node may be held to. Pure.

The journal keeps the last accepted statement whole, so all that must not fall (root, policy,
document) is found again by walking it once more; there is no second copy to disagree.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from saltern_protocol.documents import (
    Document,
    Identity,
    Statement,
    decode_statement,
)
from saltern_protocol.errors import MalformedError
from saltern_protocol.trust import Accepted as Floor
from saltern_protocol.trust import Trust, keep_roots
from saltern_states.body import Body, BodyError, read_body

from saltern_agent.journal import Accepted


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


def proposed(identity: Identity, accepted: Accepted | None, data: bytes, now: float) -> Taken:
    """Verify a statement against all that was accepted before.

    Raises MalformedError, RefusedError or BodyError, each with what to do; then nothing of it
    may be used. Of what was accepted before only the signatures count here: a body that this
    release cannot read must not keep a good one out.
    """
    new = decode_statement(data)
    if accepted is None:
        return _read(_believe(Trust.pin(identity), new, identity, None, now), identity)
    before = _before(identity, accepted)
    taken = _read(_believe(before.trust, new, identity, before.floor, now), identity)
    # Whoever carries a statement could leave roots out; what was walked once is never unlearned.
    return replace(taken, statement=keep_roots(before.statement, new))


def current(identity: Identity, accepted: Accepted) -> Taken:
    """Read what was accepted before, as of that time: it stays in force when it expires.

    BodyError or RefusedError: it was written for another release of the agent.
    """
    return _read(_before(identity, accepted), identity)


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
    try:
        body = read_body(believed.statement.body)
    except MalformedError as error:
        raise BodyError((str(error),)) from error
    believed.trust.permit(identity, [claim for one in body.resources for claim in one.claims])
    return Taken(believed.document, body, believed.statement)
