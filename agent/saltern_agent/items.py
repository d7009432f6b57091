"""Items: what the master is told of documents and drift, made of what the keeper knows. Pure.

Whatever a node's files and programs say may stand in here, so every text is escaped and cut to
what a message may hold: a result that is cut is worth more than one that cannot be sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import structs
from saltern_protocol.documents import Document, decode_document, decode_statement
from saltern_protocol.envelope import decode as decode_envelope
from saltern_protocol.errors import ProtocolError, RefusedError, printable
from saltern_protocol.report import (
    MAX_DETAIL,
    Applied,
    DriftEnded,
    DriftSeen,
    Hindrance,
    Outcome,
)
from saltern_states.body import BodyError

from saltern_agent.converge import Result
from saltern_agent.drift_record import Drift

MAX_HINDRANCES = 64
MAX_WHY = 400  # characters of one hindrance, so that 64 of them and all else fit a message
MAX_TEXT = 4096
MAX_LINES = 64
MAX_SHORT = 256
TAKEN_BACK = "taken-back"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which turn of the master's a document came with, and when. 0: it came by hand."""

    turn: int = 0
    at: float = 0.0  # seconds since 1970


def micro(seconds: float) -> int:
    """Give whole microseconds; none where a clock was set back."""
    return max(0, round(seconds * 1_000_000))


def cut(text: str, most: int) -> str:
    """Give text fit for a message of at most so many characters."""
    shown = printable(text)
    return shown if len(shown) <= most else f"{shown[: most - 1]}…"


def cut_diff(text: str, most: int = MAX_DETAIL) -> str:
    """Give unified diffs of at most so many bytes: they keep their lines, and say what is cut."""
    shown = text.encode("utf-8", "backslashreplace")
    if len(shown) <= most:
        return shown.decode()
    end = "… and more\n"
    head = shown[: most - len(end.encode())].decode("utf-8", "ignore")
    return head[: head.rfind("\n") + 1] + end


def hindrance(resource: str, outcome: str, why: str) -> Hindrance:
    """Tell of a resource that is not as declared."""
    return Hindrance(resource=resource, outcome=outcome, why=cut(why, MAX_WHY))


def applied(asked: Asked, document: Document | None, result: Result, now: float) -> Applied:
    """Tell how a document was gone through."""
    bad = result.bad
    return Applied(
        at_us=micro(now),
        turn=asked.turn,
        epoch=document.epoch if document else 0,
        version=document.version if document else 0,
        body=document.body if document else b"",
        outcome=_outcome(result),
        changes=result.changes,
        took_us=micro(now - asked.at),
        hindrances=tuple(
            hindrance(one.step.resource.id, one.outcome, one.why) for one in bad[:MAX_HINDRANCES]
        ),
        why=f"and {len(bad) - MAX_HINDRANCES} more" if len(bad) > MAX_HINDRANCES else "",
    )


def broken_off(asked: Asked, document: Document, error: Exception, now: float) -> Applied:
    """Tell of a document that was accepted, and why it is not gone through."""
    return Applied(
        at_us=micro(now),
        turn=asked.turn,
        epoch=document.epoch,
        version=document.version,
        body=document.body,
        outcome=Outcome.FAILED,
        changes=0,
        took_us=micro(now - asked.at),
        why=cut(str(error), MAX_TEXT),
    )


def taken_back(told: Applied, why: str) -> Applied:
    """Tell of a document that it was taken back; `told` is how the way back was gone through."""
    why = f"{why}; {told.why}" if told.why else why
    return structs.replace(told, outcome=Outcome.FAILED, reason=TAKEN_BACK, why=cut(why, MAX_TEXT))


def refused(asked: Asked, envelope: bytes, reason: str, why: str, now: float) -> Applied:
    """Tell of a document that was not accepted: nothing was changed."""
    document = _claimed(envelope)
    return Applied(
        at_us=micro(now),
        turn=asked.turn,
        epoch=document.epoch if document else 0,
        version=document.version if document else 0,
        body=document.body if document else b"",
        outcome=Outcome.REFUSED,
        changes=0,
        took_us=micro(now - asked.at),
        reason=cut(reason, MAX_SHORT),
        why=cut(why, MAX_TEXT),
    )


def superseded(told: Applied) -> Applied:
    """Tell the same of a document that a newer one took the place of before it was here."""
    return structs.replace(told, outcome=Outcome.SUPERSEDED)


def refused_statement(asked: Asked, statement: bytes, error: Exception, now: float) -> Applied:
    """Tell of a statement that was not accepted."""
    try:
        envelope = decode_statement(statement).document
    except ProtocolError:
        envelope = b""
    return refused(asked, envelope, reason_of(error), str(error), now)


def reason_of(error: Exception) -> str:
    """Give the code of a refusal."""
    if isinstance(error, RefusedError):
        return error.reason.value
    if isinstance(error, BodyError):
        return "bad-body"
    return "malformed" if isinstance(error, ProtocolError) else "journal"


def drift_seen(drift: Drift) -> DriftSeen:
    """Tell of an open drift, as it is now."""
    return DriftSeen(
        number=drift.seq,
        resource=drift.resource,
        kind=drift.kind,
        since_us=micro(drift.since),
        recorded_us=micro(drift.recorded),
        seen=cut(drift.seen, MAX_SHORT),
        found=tuple(cut(line, MAX_TEXT) for line in drift.found[:MAX_LINES]),
        detail=cut_diff(drift.detail),
        by=cut(drift.by, MAX_SHORT),
        nature=drift.nature,
        hindrance=cut(drift.hindrance, MAX_TEXT),
        attempts=drift.attempts,
        incident=drift.incident,
    )


def drift_ended(number: int, resource: str, healed: float, outcome: str) -> DriftEnded:
    """Tell that an open drift ended."""
    return DriftEnded(
        number=number, resource=resource, healed_us=micro(healed), outcome=cut(outcome, MAX_TEXT)
    )


def _outcome(result: Result) -> Outcome:
    if result.interrupted:
        return Outcome.SUPERSEDED
    if result.bad:
        failed = any(one.outcome == "failed" for one in result.bad)
        return Outcome.FAILED if failed else Outcome.BLOCKED
    return Outcome.CHANGED if result.changes else Outcome.CONVERGED


def _claimed(envelope: bytes) -> Document | None:
    """Read what a document says it is, unverified: only to tell which one was refused."""
    try:
        return decode_document(decode_envelope(envelope).payload)
    except ProtocolError:
        return None
